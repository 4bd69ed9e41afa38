import { join } from "node:path";
import { type ProcessFacts, processesWithEnvironment } from "../process/proc.ts";

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
