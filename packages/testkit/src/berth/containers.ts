import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";
import { type ProcessFacts, processesInNamespaceOf, processesWithEnvironment } from "../process/proc.ts";

/** How a test looks into a container of the bundled Proxmox from the machine; each is named by its folder. */
export interface Containers {
  /** Its root as this machine sees it. */
  root(folder: string): Promise<string>;
  /** A path below its root as its own programs see it. */
  pathInside(folder: string, path: string): string;
  processes(folder: string): Promise<ProcessFacts[]>;
}

/** Containers that are folders and processes. */
export const processContainers: Containers = {
  root: async (folder) => rootFolder(folder),
  pathInside: (folder, path) => join(rootFolder(folder), path),
  processes: (folder) => processesWithEnvironment("BERTH_ROOT", rootFolder(folder)),
};

function rootFolder(folder: string): string {
  return join(folder, "rootfs");
}

/** Containers of LXC. They have a root while they run. */
export const lxcContainers: Containers = {
  root: async (folder) => `/proc/${await initOf(folder)}/root`,
  pathInside: (_folder, path) => join("/", path),
  processes: async (folder) => {
    const init = await initOf(folder).catch(() => undefined);
    return init === undefined ? [] : processesInNamespaceOf(init);
  },
};

const run = promisify(execFile);

/** What the names of an emulator's containers, networks and interfaces begin with: they are the machine's. */
export function lxcPrefix(dataDir: string): string {
  return `bp${createHash("sha256").update(resolve(dataDir)).digest("hex").slice(0, 8)}`;
}

/** The container's first process. */
async function initOf(folder: string): Promise<number> {
  const name = `${lxcPrefix(join(folder, "..", ".."))}-${basename(folder)}`;
  const { stdout } = await run("lxc-info", ["-P", "/var/lib/lxc", "-n", name, "-p", "-H"]);
  const pid = Number(stdout);
  if (!(pid > 0)) throw new Error(`the container ${basename(folder)} does not run`);
  return pid;
}
