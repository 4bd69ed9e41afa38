import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { eventually } from "../eventually.ts";
import { remember, type Speaker } from "./last-words.ts";
import { processesInGroup } from "./proc.ts";

export interface SpawnOptions {
  readonly command: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** The whole environment; the test's own by default. */
  readonly env?: NodeJS.ProcessEnv;
  /** Bound of what is kept of each of stdout and stderr, the latest of it; 1 MiB by default. */
  readonly outputBytes?: number;
  /** Files of programs that it starts, to be shown with its output when a test fails. */
  readonly logFiles?: readonly string[];
}

/** How a process ended. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child in a process group of its own, with its latest output. Stop it at the end of the test. */
export class SpawnedProcess implements Speaker {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly title: string;
  readonly logFiles: readonly string[];
  readonly #stdout: TailText;
  readonly #stderr: TailText;
  /** Resolves when the child has ended and its output is read; rejects when it could not be started. */
  readonly exited: Promise<ProcessExit>;

  constructor(options: SpawnOptions) {
    this.title = [options.command, ...(options.args ?? [])].join(" ").slice(0, 200);
    this.logFiles = options.logFiles ?? [];
    remember(this);
    const bound = options.outputBytes ?? 1024 * 1024;
    this.#stdout = new TailText(bound);
    this.#stderr = new TailText(bound);
    this.#child = spawn(options.command, options.args ?? [], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    this.#child.stdout.on("data", (chunk: Buffer) => this.#stdout.append(chunk));
    this.#child.stderr.on("data", (chunk: Buffer) => this.#stderr.append(chunk));
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      // "close" would wait for grandchildren that hold the pipes; what the child itself wrote is read by then or soon.
      this.#child.once("exit", (code, signal) => setImmediate(() => resolve({ code, signal })));
    });
    this.exited.catch(() => {});
  }

  /** The child's process id, and that of its group. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the process was not started");
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#stdout.text;
  }

  get stderr(): string {
    return this.#stderr.text;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  /** The first line of either output that matches; throws with all output when the child ends or the time is over. */
  async waitForLine(pattern: string | RegExp, timeoutMs = 10_000): Promise<string> {
    const matches = (line: string) => (typeof pattern === "string" ? line.includes(pattern) : pattern.test(line));
    const look = () => {
      const ended = !this.running;
      const line = [...this.stdout.split("\n"), ...this.stderr.split("\n")].find(matches);
      return line !== undefined || ended ? { line } : undefined;
    };
    const { line } = await eventually(look, { timeoutMs }).catch(() => ({ line: undefined }));
    if (line !== undefined) return line;
    const why = this.running ? `within ${timeoutMs} ms` : "before it ended";
    throw new Error(`${this.#child.spawnfile} wrote no line with ${String(pattern)} ${why}\n${this.#report()}`);
  }

  /** Sends a signal to the child alone. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /**
   * Asks the child to end (SIGTERM), kills its group after `graceMs`, and answers how it ended. Throws when the child
   * left processes of its group behind after it ended by itself; they are killed all the same.
   */
  async stop(graceMs = 5000): Promise<ProcessExit> {
    if (this.#child.pid === undefined) return { code: null, signal: null };
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.#killGroup(), graceMs);
    const exit = await this.exited.finally(() => clearTimeout(timer));
    const left = await this.#left();
    this.#killGroup();
    if (left.length > 0) throw new Error(`left behind by ${this.#child.spawnfile}: ${left.join(", ")}`);
    return exit;
  }

  /** What is in the group still: a child may be about to end on its own, so look for a moment. */
  async #left(): Promise<string[]> {
    let left: string[] = [];
    for (let look = 0; look < 20; look += 1) {
      left = (await processesInGroup(this.pid)).map(({ pid, command }) => `${pid} ${command}`);
      if (left.length === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return left;
  }

  #killGroup(): void {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // The group is gone.
    }
  }

  #report(): string {
    return `--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`;
  }
}

/** Starts a child in a process group of its own. */
export function spawnProcess(options: SpawnOptions): SpawnedProcess {
  return new SpawnedProcess(options);
}

/** The last so many bytes of a stream, as text. */
class TailText {
  readonly #bound: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(boundBytes: number) {
    this.#bound = boundBytes;
  }

  append(chunk: Buffer): void {
    const all = Buffer.concat([this.#bytes, chunk]);
    this.#bytes = all.length > this.#bound ? all.subarray(all.length - this.#bound) : all;
  }

  get text(): string {
    return this.#bytes.toString("utf8");
  }
}
