import { type ChildProcess, spawn } from "node:child_process";
import { isErrno } from "@berth/base/node";
import { CallFailure } from "@berth/protocol/link";
import type { Folder } from "../files/folder.ts";

export interface ProgramOptions {
  /** The program, looked for in the environment's PATH, and its arguments. Never a shell's. */
  readonly argv: readonly [string, ...string[]];
  readonly cwd: Folder;
  readonly env: Readonly<Record<string, string>>;
  readonly input?: Uint8Array | undefined;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** After so long it is ended. */
  readonly timeMs: number;
}

/** How a program has ended. */
export interface Exit {
  /** Null after a signal. */
  readonly code: number | null;
  /** The beginning of what it wrote to its standard error. */
  readonly stderr: string;
  readonly timedOut: boolean;
}

const maxStderrBytes = 2048;

/** Debian's packages of the programs that are called otherwise. Every template of Berth's has them. */
const packages: Readonly<Record<string, string>> = { rg: "ripgrep" };

function missing(command: string): string {
  return `the program ${command} is not installed where the agent runs (Debian's package ${packages[command] ?? command})`;
}

/**
 * A program that runs in a folder of the workspace. Its output must be read to the end, or the program stopped; it is read
 * no faster than the reader takes it. It and what it has started are gone when `ended` resolves.
 */
export class Program {
  /** How it ended; rejects with `CallFailure` `missing_program` where there is none of its name. */
  readonly ended: Promise<Exit>;
  readonly #process: ChildProcess;

  constructor(options: ProgramOptions) {
    const [command, ...rest] = options.argv;
    this.#process = spawn(command, rest, {
      cwd: options.cwd.pathForOthers,
      env: options.env,
      stdio: ["pipe", "pipe", "pipe"],
      // A group of its own, which is ended as one.
      detached: true,
    });
    this.ended = this.#end(command, options);
    this.ended.catch(() => {});
    // A program that has ended takes no more input.
    this.#process.stdin?.on("error", () => {});
    this.#process.stdin?.end(options.input ?? "");
  }

  /** What it writes to its standard output. */
  async *output(): AsyncGenerator<Buffer> {
    for await (const chunk of this.#process.stdout ?? []) if (chunk instanceof Buffer) yield chunk;
  }

  /** All of its output, up to so many bytes. */
  async bytes(maxBytes: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.output()) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        this.stop();
        throw new CallFailure("payload_too_large", "there is too much of it");
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  stop(): void {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch (error) {
      if (!isErrno(error, "ESRCH")) throw error;
    }
  }

  async #end(command: string, { signal, timeMs }: ProgramOptions): Promise<Exit> {
    const stderr: Buffer[] = [];
    let stderrBytes = 0;
    this.#process.stderr?.on("data", (chunk: Buffer) => {
      if (stderrBytes < maxStderrBytes) stderr.push(chunk);
      stderrBytes += chunk.length;
    });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      this.stop();
    }, timeMs);
    const stop = () => this.stop();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      const code = await new Promise<number | null>((resolve, reject) => {
        this.#process.once("error", reject);
        this.#process.once("close", resolve);
      });
      return { code, stderr: Buffer.concat(stderr).subarray(0, maxStderrBytes).toString().trim(), timedOut };
    } catch (error) {
      if (isErrno(error, "ENOENT")) throw new CallFailure("missing_program", missing(command));
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }
}
