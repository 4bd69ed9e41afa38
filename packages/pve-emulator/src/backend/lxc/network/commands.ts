import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { searchPath } from "../../../environment.ts";

/** A program that refused, with what it said. */
export class CommandFailed extends Error {
  constructor(argv: readonly string[], status: number | string, said: string) {
    super(`${argv.join(" ")}: ${said.trim() || `ended with ${status}`}`);
  }
}

/** The environment of programs that set up networks: they are where only root's own shells look. */
export const commandEnvironment: Readonly<Record<string, string>> = {
  LC_ALL: "C",
  PATH: searchPath,
};

/** Runs a program and answers what it printed. Throws `CommandFailed`, or ENOENT where there is no such program. */
export async function run(argv: readonly string[], input = ""): Promise<string> {
  const [command = "", ...args] = argv;
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: commandEnvironment });
  // A program that ends without reading all of it says why on its standard error.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal ?? "no status"));
  });
  const [status, out, said] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (status !== 0) throw new CommandFailed(argv, status, said);
  return out;
}

/** The words that run a program with a network namespace's interfaces, and everything else as it is here. */
export function inside(namespacePath: string, argv: readonly string[]): readonly string[] {
  return ["nsenter", `--net=${namespacePath}`, "--", ...argv];
}
