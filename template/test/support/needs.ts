import { spawnSync } from "node:child_process";

/** Why what needs root and a Debian is not tested; only whoever says that containers are not to be tested is obeyed. */
export const untested = process.env.BERTH_BACKEND === "process" ? "BERTH_BACKEND=process" : undefined;

/** Throws where files of several owners, or whole root file systems, cannot be made. */
export function requireRoot(...commands: readonly string[]): void {
  const missing = commands.filter((command) => spawnSync(command, ["--version"]).error !== undefined);
  const obstacles = [
    ...(process.getuid?.() === 0 ? [] : ["these tests need root"]),
    ...missing.map((command) => `${command} is not installed`),
  ];
  if (obstacles.length > 0) throw new Error(`${obstacles.join("; ")} (BERTH_BACKEND=process leaves these tests out)`);
}

/** What shellcheck says of a POSIX shell's program. */
export function shellcheck(script: string): string {
  const { error, stdout } = spawnSync("shellcheck", ["--shell=sh", "-"], { input: script, encoding: "utf8" });
  if (error) throw new Error("shellcheck is not installed: ./scripts/test installs it", { cause: error });
  return stdout;
}
