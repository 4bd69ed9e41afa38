import { readFile } from "node:fs/promises";

/** Lines that only say that something said before has failed. */
const echoes = [
  /^Failed to (?:spawn|initialize|setup) container/,
  /^The container failed to start/,
  /^To get more details/,
  /^Additional information/,
  /^Received container state/,
  /^An error occurred in another process/,
  /^Failed to (?:send|run) .*(?:SIGKILL|post-stop)/,
  /^Container (?:will be|is being) /,
];

/** What LXC's log says about a start that failed: its errors without their source lines, and which of them is the cause. */
export async function reasonOf(logPath: string): Promise<{ cause: string | undefined; lines: readonly string[] }> {
  const text = await readFile(logPath, "utf8").catch(() => "");
  const lines = text.split("\n").flatMap((line) => {
    const [, said] = /\sERROR\s+\S+ - \S+:\w+:\d+ - (.+)$/.exec(line) ?? [];
    return said === undefined ? [] : [said];
  });
  const cause = lines.find((line) => !echoes.some((echo) => echo.test(line)));
  return { cause, lines };
}
