import { type SpawnOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { isErrno } from "@berth/base/node";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed } from "../failure.ts";

/** What `ssh` exits with when there is no connection. */
export const noConnectionCode = 255;

/** Takes what a program writes; the next piece comes when it has been taken. */
export type TextListener = (text: string) => void | Promise<void>;

/** Who reads what a program writes; without a listener it goes to the user's own streams. */
export interface ProgramListeners {
  readonly stdout?: TextListener;
  readonly stderr?: TextListener;
}

/**
 * Runs a program of OpenSSH on the user's own terminal and streams; answers its exit code. No shell of this machine sees
 * its arguments. Ctrl-C reaches it by the terminal itself; with `signal` it is ended.
 */
export async function runProgramHere(
  argv: readonly [string, ...string[]],
  signal: AbortSignal,
  { stdout, stderr }: ProgramListeners = {},
): Promise<number> {
  const [program, ...args] = argv;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const options: SpawnOptions = { stdio: ["inherit", stdout ? "pipe" : "inherit", stderr ? "pipe" : "inherit"] };
  const child = spawn(program, args, options);
  const end = () => child.kill("SIGTERM");
  signal.addEventListener("abort", end, { once: true });
  child.once("error", (error) => {
    reject(isErrno(error, "ENOENT") ? missing(program, error) : error);
  });
  child.once("exit", (code, name) => resolve(code ?? 128 + (name === null ? 0 : constants.signals[name])));
  try {
    const [code] = await Promise.all([promise, listen(child.stdout, stdout), listen(child.stderr, stderr)]);
    return code;
  } finally {
    signal.removeEventListener("abort", end);
  }
}

async function listen(stream: Readable | null, listener: TextListener | undefined): Promise<void> {
  if (!stream || !listener) return;
  const decoder = new TextDecoder();
  for await (const chunk of stream) await listener(decoder.decode(chunk, { stream: true }));
}

function missing(program: string, cause: unknown): CommandFailed {
  const hint = `Install OpenSSH's client: on Debian, apt-get install openssh-client.`;
  return new CommandFailed(exitCodes.failed, "missing_program", `${program} is not on this machine.`, hint, cause);
}
