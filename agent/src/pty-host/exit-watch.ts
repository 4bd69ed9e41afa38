import { readFile } from "node:fs/promises";
import { processStart } from "../machine.ts";

const lookMs = 100;

/**
 * Waits for the end of a child of this process that was started by the program before this one: Node waits only for what
 * it has started itself. `onEnd` gets the status as of wait(2), or undefined if nobody can tell it any more. The child
 * stays a zombie for as long as this process lives; there are no more than there were terminals.
 */
export function watchExit(pid: number, onEnd: (status: number | undefined) => void): void {
  const starting = processStart(pid);
  const look = async () => {
    const end = await endOf(pid, await starting);
    if (end === undefined) setTimeout(() => void look(), lookMs).unref();
    else onEnd(end.status);
  };
  void look();
}

/** How a process ended, from `/proc`; undefined while it runs. */
async function endOf(pid: number, started: string | undefined): Promise<{ status: number | undefined } | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .trim()
      .split(" ");
    if (fields[19] !== started) return { status: undefined };
    // Field 52 of proc_pid_stat(5) is the status.
    return fields[0] === "Z" || fields[0] === "X" ? { status: Number(fields[49]) } : undefined;
  } catch {
    return { status: undefined };
  }
}
