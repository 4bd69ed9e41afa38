import { spawn } from "node:child_process";
import type { Readable } from "node:stream";

/** Bytes of output that are kept: all that these programs say. */
const maxOutputBytes = 4 * 1024 * 1024;

export interface CommandOptions {
  /** Written to its standard input, which is empty otherwise. */
  readonly input?: string | Buffer | Readable;
  readonly cwd?: string;
  /** Instead of this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Goes on when this process is killed. */
  readonly outlives?: boolean;
  /** Ends the program with SIGKILL, and with it all of its process group. */
  readonly signal?: AbortSignal;
}

/** A program that failed. Its message names the program and the last line of what it said. */
export class CommandFailed extends Error {
  readonly exitCode: number | null;

  constructor(program: string, exitCode: number | null, said: string) {
    // What tar says last is only that it has said something.
    const lines = said.split("\n").filter((line) => line !== "" && !line.includes("Exiting with failure status"));
    super(`${program}: ${lines.at(-1) ?? `it ended with ${exitCode ?? "a signal"}`}`);
    this.exitCode = exitCode;
  }
}

/** Where the programs are that only root uses. */
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Runs a program to its end; answers its standard output. Throws `CommandFailed`, or the error of starting it. */
export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const words = options.outlives ? [program, ...args] : ["setpriv", "--pdeathsig", "KILL", "--", program, ...args];
    const [first = "", ...rest] = words;
    const child = spawn(first, rest, {
      cwd: options.cwd,
      env: { PATH: systemPath, LC_ALL: "C.UTF-8", ...options.environment },
      stdio: ["pipe", "pipe", "pipe"],
      // A group of its own: a signal at the terminal is for the emulator, which decides what ends.
      detached: true,
    });
    const output = new Collector();
    const errors = new Collector();
    child.stdout.on("data", (chunk: Buffer) => output.add(chunk));
    child.stderr.on("data", (chunk: Buffer) => errors.add(chunk));
    const abort = () => killGroup(child.pid);
    options.signal?.addEventListener("abort", abort);
    if (options.signal?.aborted) abort();
    const settle = (finish: () => void) => {
      options.signal?.removeEventListener("abort", abort);
      finish();
    };
    child.on("error", (error) => settle(() => reject(error)));
    child.on("close", (code) =>
      settle(() => (code === 0 ? resolve(output.text) : reject(new CommandFailed(program, code, errors.text)))),
    );
    feed(child.stdin, options.input);
  });
}

function feed(stdin: NodeJS.WritableStream, input: CommandOptions["input"]): void {
  // A program may end before it has read everything; its exit code tells what that means.
  stdin.on("error", () => {});
  if (input === undefined || typeof input === "string" || Buffer.isBuffer(input)) {
    stdin.end(input ?? "");
    return;
  }
  input.on("error", () => stdin.end());
  input.pipe(stdin);
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}

class Collector {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  add(chunk: Buffer): void {
    if (this.#bytes >= maxOutputBytes) return;
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
