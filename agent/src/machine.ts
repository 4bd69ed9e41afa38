import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, readTextIfExists } from "@berth/base/node";
import type { Root } from "./root.ts";

/** The file in `guestPaths.run` where the PTY host says which process it is: a `ProcessIdentity` as JSON. */
export const ptyHostIdentityName = "pty-host.json";

/**
 * An id of the container's present boot. The kernel's boot id is the node's, shared by all its containers, so the start
 * time of the container's first process tells its boots apart.
 */
export async function bootId(root: Root): Promise<string> {
  const kernel = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const init = root.isFolder ? (await readTextIfExists(join(root.path, "run/init.pid")))?.trim() : "1";
  const started = init && /^[0-9]+$/.test(init) ? await processStart(Number(init)) : undefined;
  return `${kernel}:${started ?? "0"}`.slice(0, 64);
}

/** When a process started, in the kernel's ticks; undefined if there is none. Tells it from a later one of the same id. */
export async function processStart(pid: number): Promise<string | undefined> {
  const stat = await readStat(pid);
  // Field 22 of the whole line, counted behind the command's name, which is in parentheses and may hold anything.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

async function readStat(pid: number): Promise<string | undefined> {
  try {
    return await readTextIfExists(`/proc/${pid}/stat`);
  } catch (error) {
    // The process ended between the file's opening and its reading.
    if (isErrno(error, "ESRCH")) return undefined;
    throw error;
  }
}
