import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** How many of its last lines a command that failed is remembered by. */
const rememberedLines = 12;

/** A command ended with anything but 0. */
export class CommandFailed extends Error {
  /** What it said last, on standard error and output. */
  readonly lastLines: readonly string[];

  constructor(command: string, outcome: string, lastLines: readonly string[]) {
    super(`${command} ${outcome}: ${lastLines.at(-1) ?? "it said nothing"}`);
    this.lastLines = lastLines;
  }
}

export interface CommandOptions {
  /** Gets every line of both outputs. */
  readonly report: (line: string) => void;
  /** Ends the command and all that it started. */
  readonly signal?: AbortSignal;
  /** Standard input, whole. */
  readonly input?: string;
}

/** Runs a command in a process group of its own. Throws `CommandFailed`, or the signal's reason. */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<void> {
  options.signal?.throwIfAborted();
  const child = spawn(command, args, { detached: true, stdio: ["pipe", "pipe", "pipe"] });
  const lines: string[] = [];
  const take = (line: string): void => {
    lines.push(line);
    if (lines.length > rememberedLines) lines.shift();
    options.report(line);
  };
  const stop = (): void => endGroup(child.pid);
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    const ended = new Promise<string | undefined>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(code === 0 ? undefined : `ended with ${code ?? signal}`));
    });
    // A command that ends before it has read its input fails by itself.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    const [outcome] = await Promise.all([ended, eachLine(child.stdout, take), eachLine(child.stderr, take)]);
    options.signal?.throwIfAborted();
    if (outcome !== undefined) throw new CommandFailed(command, outcome, lines);
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
}

async function eachLine(stream: Readable, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) take(line);
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // It has ended by itself.
  }
}
