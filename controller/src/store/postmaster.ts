import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, readTextIfExists } from "@berth/base/node";

/** A PostgreSQL server that runs on a data directory. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  /** It takes connections; otherwise it starts, recovers or stops. */
  readonly ready: boolean;
}

/**
 * The server that runs on this data directory, by its `postmaster.pid` (lines: pid, data directory, start time, port,
 * socket directory, address, shared memory, state). A file that a crash left behind is removed if its pid belongs to
 * some other program by now, since PostgreSQL itself would take that for a running server.
 */
export async function findPostmaster(pgData: string): Promise<Postmaster | undefined> {
  const path = join(pgData, "postmaster.pid");
  const text = await readTextIfExists(path);
  if (text === undefined) return undefined;
  const [pidLine, , , portLine, , , , state] = text.split("\n").map((line) => line.trim());
  // A standby server writes its pid as a negative number; ours never is one, and -1 must not reach kill().
  const pid = Number(pidLine);
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  if (!(await isPostgres(pid))) {
    await rm(path, { force: true });
    return undefined;
  }
  return { pid, port: Number(portLine ?? 0), ready: state === "ready" };
}

/** Whether a process exists and is a PostgreSQL. One that has ended and was not yet reaped by its parent does not count. */
async function isPostgres(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!isErrno(error, "EPERM")) return false;
  }
  try {
    // `pid (name) state …`; Z is a zombie.
    return / ?\(postgres\) [^ZX]/.test(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    // No such file: it ended this moment, or this system has no /proc and the pid is all there is to go by.
    return !isErrno(error, "ENOENT") || process.platform !== "linux";
  }
}
