import { spawn } from "node:child_process";
import { constants } from "node:os";
import { isErrno } from "@berth/base/node";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed } from "../failure.ts";

/**
 * Runs a program of OpenSSH on the user's own terminal and streams; answers its exit code. No shell of this machine sees
 * its arguments. Ctrl-C reaches it by the terminal itself; with `signal` it is ended.
 */
export function runProgramHere(argv: readonly [string, ...string[]], signal: AbortSignal): Promise<number> {
  const [program, ...args] = argv;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(program, args, { stdio: "inherit" });
  const end = () => child.kill("SIGTERM");
  signal.addEventListener("abort", end, { once: true });
  child.once("error", (error) => {
    reject(isErrno(error, "ENOENT") ? missing(program, error) : error);
  });
  child.once("exit", (code, name) => resolve(code ?? 128 + (name === null ? 0 : constants.signals[name])));
  return promise.finally(() => signal.removeEventListener("abort", end));
}

function missing(program: string, cause: unknown): CommandFailed {
  const hint = `Install OpenSSH's client: on Debian, apt-get install openssh-client.`;
  return new CommandFailed(exitCodes.failed, "missing_program", `${program} is not on this machine.`, hint, cause);
}
