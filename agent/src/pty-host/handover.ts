import { execFile, spawn } from "node:child_process";
import { closeSync, constants as openFlags, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { identifyProcess, readTextIfExists } from "@berth/base/node";
import { parseJson, terminalExitSchema } from "@berth/protocol";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { checkAnswer, checkArgument } from "../check.ts";

/**
 * A new version of the PTY host takes over without the end of any terminal: this process becomes the new program
 * (execve(2)), and so keeps its id, its children and their PTYs. What is not on disk goes over in a file.
 */

const run = promisify(execFile);
const fileName = "pty-handover.json";
const checkTimeoutMs = 10_000;
/** Longer than a host takes to start. */
const holdSeconds = 30;
const lowDescriptors = 31;

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** A terminal on its way from one host to the next. */
export const handedTerminalSchema = Type.Object({
  id: Type.String({ maxLength: 64 }),
  epoch: count,
  pty: Type.Object({
    fd: count,
    pid: count,
    slave: Type.String({ maxLength: 64 }),
    exit: Type.Optional(terminalExitSchema),
  }),
  /** Output that is not on disk, base64, and where it begins. */
  tail: Type.Object({ offset: count, base64: Type.String() }),
  /** How much of each client's input was written. */
  input: Type.Array(Type.Object({ id: Type.String({ maxLength: 64 }), bytes: count })),
});
export type HandedTerminal = Static<typeof handedTerminalSchema>;

const handoverSchema = Type.Object({
  /** The form of this file: a host that does not know it says so when it is checked. */
  version: Type.Literal(1),
  process: Type.Object({ pid: count, started: Type.String() }),
  terminals: Type.Array(handedTerminalSchema),
});

/** The new program cannot take over; the message says why. Nothing has changed. */
export class HandoverRefused extends Error {
  override readonly name = "HandoverRefused";
}

/**
 * Sees to it that terminals get descriptors above the lowest ones. Node keeps what it inherits of those from the program
 * after it (libuv's `uv_disable_stdio_inheritance`: the first 16, and on to the first gap), so a terminal that has one
 * would not outlive a second change. Call it before anything else is opened.
 */
export function occupyLowDescriptors(): void {
  while (openSync("/dev/null", "r") < lowDescriptors);
}

/** Asks a program whether it could take over from this one. Throws `HandoverRefused`. */
export async function checkProgram(program: string): Promise<void> {
  try {
    const args = [...process.execArgv, program, checkArgument];
    const { stdout } = await run(process.execPath, args, { timeout: checkTimeoutMs, killSignal: "SIGKILL" });
    if (stdout.trim() === checkAnswer.ptyHost) return;
    throw new Error(`it answered "${stdout.trim().slice(0, 200)}"`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HandoverRefused(`${program} cannot take the terminals over: ${reason}`, { cause: error });
  }
}

/**
 * Keeps the programs' sides of PTYs open for a while, in a process that init inherits. While no program has that side
 * open, the kernel throws away what was written and not yet read; and this process's own hold ends when it becomes
 * another program.
 */
export async function holdOpen(slaves: readonly string[]): Promise<void> {
  if (slaves.length === 0) return;
  const held = slaves.map((slave) => openSync(slave, openFlags.O_RDWR | openFlags.O_NOCTTY));
  try {
    const shell = spawn("/bin/sh", ["-c", `sleep ${holdSeconds} >/dev/null 2>&1 </dev/null &`], {
      stdio: ["ignore", "ignore", "ignore", ...held],
    });
    await new Promise<void>((resolve, reject) => {
      shell.once("error", reject);
      shell.once("exit", () => resolve());
    });
  } finally {
    for (const fd of held) closeSync(fd);
  }
}

/** Becomes the new program, in this turn: what the terminals say is true until then. Returns only by an error. */
export function becomeProgram(
  program: string,
  { folder, environment }: { readonly folder: string; readonly environment: NodeJS.ProcessEnv },
  terminals: readonly HandedTerminal[],
): never {
  const file = join(folder, fileName);
  const content = { version: 1, process: identifyProcess(process.pid), terminals };
  writeFileSync(file, JSON.stringify(content), { mode: 0o600 });
  // Node 22.15 and later have it on Linux; one that comes back has failed.
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, program], environment);
  throw new Error("this Node cannot become another program");
}

/** The terminals that the program before this one left to this process, if there was one. They are told once. */
export async function takeOver(folder: string): Promise<readonly HandedTerminal[]> {
  const file = join(folder, fileName);
  const content = parseJson((await readTextIfExists(file)) ?? "");
  rmSync(file, { force: true });
  if (!Value.Check(handoverSchema, content)) return [];
  // A process keeps its id and its start when it becomes another program: what anybody else left is not meant for this one.
  const { pid, started } = content.process;
  return pid === process.pid && identifyProcess(pid)?.started === started ? content.terminals : [];
}
