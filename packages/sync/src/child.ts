import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { SyncFailure } from "./failure.ts";

/** A program to be run: never by a shell. */
export interface ChildOrder {
  readonly argv: readonly [string, ...string[]];
  /** Given as standard input; none if absent. */
  readonly input?: Buffer;
  onOutput(chunk: Buffer): void;
  readonly signal?: AbortSignal;
}

/** How it ended, and the last of what it complained. */
export interface ChildEnd {
  readonly code: number | null;
  readonly complaints: string;
}

const complaintsBytes = 16 * 1024;
/** What a program gets to come to an end after SIGTERM. */
const graceMs = 5_000;
const setpriv = "/usr/bin/setpriv";

/**
 * Runs a program in a process group of its own until it ends. An abort ends it with SIGTERM, on which rsync keeps what it
 * has of a file for the next time. Should this process be killed, the kernel ends the program: nobody would know of it.
 * Rejects with the signal's reason, with what `onOutput` threw, or when the program is not there.
 */
export async function runChild({ argv, input, onOutput, signal }: ChildOrder): Promise<ChildEnd> {
  signal?.throwIfAborted();
  const bound = existsSync(setpriv) ? ([setpriv, "--pdeathsig", "TERM", "--", ...argv] as const) : argv;
  const [command, ...args] = bound;
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(command, args, {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: programEnvironment,
  });
  let failure: unknown;
  let timer: NodeJS.Timeout | undefined;
  const end = (reason: unknown) => {
    if (timer) return;
    failure = reason;
    signalGroup(child.pid, "SIGTERM");
    timer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), graceMs);
  };
  const onAbort = () => end(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  let complaints = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaints = (complaints + chunk.toString("latin1")).slice(-complaintsBytes);
  });
  child.stdout.on("data", (chunk: Buffer) => {
    try {
      if (!timer) onOutput(chunk);
    } catch (error) {
      end(error);
    }
  });
  // A program that ends early does not read all.
  child.stdin.on("error", () => {});
  child.stdin.end(input ?? Buffer.alloc(0));
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(
          new SyncFailure("failed", `${argv[0]} cannot be run.`, {
            hint: "Install rsync and the OpenSSH client on this machine.",
            cause,
          }),
        ),
      );
      child.once("close", resolve);
    });
    if (timer) throw failure;
    return { code, complaints };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

/** The C locale, in which every byte of a name is shown in one way; and nothing that would change what rsync does. */
const programEnvironment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };
