import { type ChildProcess, spawn } from "node:child_process";
import type { FileHandle } from "node:fs/promises";

/** A program to run, and what it may take. */
export interface ProcessOrder {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Gets the output instead of the answer; not closed here. */
  readonly into?: FileHandle;
  /** More output than this ends it. */
  readonly maxOutputBytes: number;
  readonly timeoutMs: number;
  /** Of one file that it writes; more ends it. */
  readonly maxFileBytes?: number;
  /** Of its memory, files aside. */
  readonly maxMemoryBytes?: number;
  readonly signal?: AbortSignal | undefined;
  /** Each line of its complaints, as it comes; a progress that is drawn over itself is many lines. */
  onComplaint?(line: string): void;
}

/** How a program ended that was not ended from here. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly output: Buffer;
  /** The last of its complaints, without control characters. */
  readonly complaints: string;
}

const maxComplaintCharacters = 4_000;
/** Between the request to end and the order to. */
const graceMs = 2_000;

/** A program took too long, or wrote too much. */
export class ProcessOutOfBounds extends Error {
  override readonly name = "ProcessOutOfBounds";
}

/**
 * Runs a program without a shell, in a process group of its own, which ends as a whole: when the signal aborts, when a
 * bound is reached, and when the controller is killed, since what goes on unseen would hold locks. Rejects with the
 * signal's reason, with `ProcessOutOfBounds`, or with the system's error when it cannot be started.
 */
export async function runProcess(order: ProcessOrder): Promise<ProcessEnd> {
  order.signal?.throwIfAborted();
  const child = spawn("setpriv", wrapped(order), {
    detached: true,
    env: order.env,
    stdio: [order.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    ...(order.cwd === undefined ? {} : { cwd: order.cwd }),
  });
  const ending = new Ending(child);
  const timer = setTimeout(
    () => ending.begin(new ProcessOutOfBounds(`it took longer than ${Math.round(order.timeoutMs / 1000)} seconds`)),
    order.timeoutMs,
  );
  const onAbort = () => ending.begin(order.signal?.reason);
  order.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const complaints = new Complaints(order.onComplaint);
    child.stderr?.on("data", (chunk: Buffer) => complaints.add(chunk));
    child.stdin?.on("error", () => {});
    child.stdin?.end(order.input);
    const closed = closeOf(child);
    const output = await outputOf(child, order, ending);
    const exitCode = await closed;
    if (ending.reason) throw ending.reason.error;
    return { exitCode, output, complaints: complaints.text() };
  } finally {
    clearTimeout(timer);
    order.signal?.removeEventListener("abort", onAbort);
    ending.over();
  }
}

/** The kernel ends the program with the controller, and holds its bounds: arguments of `setpriv`. */
export function wrapped({
  command,
  args,
  maxFileBytes,
  maxMemoryBytes,
}: Pick<ProcessOrder, "command" | "args" | "maxFileBytes" | "maxMemoryBytes">): string[] {
  const limits = [
    ...(maxFileBytes === undefined ? [] : [`--fsize=${maxFileBytes}`]),
    ...(maxMemoryBytes === undefined ? [] : [`--data=${maxMemoryBytes}`]),
  ];
  return ["--pdeathsig", "KILL", "--", ...(limits.length > 0 ? ["prlimit", ...limits, "--"] : []), command, ...args];
}

export function closeOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });
}

async function outputOf(child: ChildProcess, order: ProcessOrder, ending: Ending): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of child.stdout ?? []) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError("a program's output is not bytes");
      bytes += chunk.length;
      if (bytes > order.maxOutputBytes) {
        ending.begin(new ProcessOutOfBounds(`it wrote more than ${order.maxOutputBytes} bytes`));
        break;
      }
      if (order.into) await order.into.writeFile(chunk);
      else chunks.push(chunk);
    }
  } catch (error) {
    ending.begin(error);
  }
  return Buffer.concat(chunks);
}

/** Ends a process group, first by asking. */
export class Ending {
  readonly #child: ChildProcess;
  reason: { readonly error: unknown } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  begin(error: unknown): void {
    if (this.reason) return;
    this.reason = { error };
    this.#child.stdout?.resume();
    this.#kill("SIGTERM");
    this.#timer = setTimeout(() => this.#kill("SIGKILL"), graceMs);
  }

  /** The program has ended; what it left of its group ends, too. */
  over(): void {
    clearTimeout(this.#timer);
    this.#kill("SIGKILL");
  }

  #kill(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // Nobody is left in the group.
    }
  }
}

/** The last lines of what a program complains of. */
export class Complaints {
  readonly #tell: ((line: string) => void) | undefined;
  readonly #decoder = new TextDecoder();
  #rest = "";
  #kept = "";

  constructor(tell: ((line: string) => void) | undefined) {
    this.#tell = tell;
  }

  add(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split(/[\r\n]+/);
    this.#rest = (lines.pop() ?? "").slice(0, maxComplaintCharacters);
    for (const line of lines) this.#line(line);
  }

  text(): string {
    this.#line(this.#rest);
    this.#rest = "";
    return this.#kept.trim();
  }

  #line(line: string): void {
    const plain = line.replaceAll(/\p{C}/gu, "").trimEnd();
    if (plain === "") return;
    this.#tell?.(plain);
    // What draws a progress says nothing once it has ended.
    if (!/^(remote: )?[A-Z][a-z]+ing [a-z]+: +\d+/.test(plain))
      this.#kept = `${this.#kept}${plain}\n`.slice(-maxComplaintCharacters);
  }
}
