import { createHash } from "node:crypto";
import { resolve } from "node:path";

/**
 * What the names of this emulator's containers begin with. Names of containers and their cgroups are the whole
 * machine's: a hash of the data folder keeps those of several emulators apart.
 */
export function prefixOf(dataDir: string): string {
  return `bp${createHash("sha256").update(resolve(dataDir)).digest("hex").slice(0, 8)}`;
}

/** The name that LXC knows a container by. */
export function containerName(dataDir: string, vmid: number): string {
  return `${prefixOf(dataDir)}-${vmid}`;
}

/** The vmid in a container's name; undefined for one of somebody else. */
export function vmidOf(dataDir: string, name: string): number | undefined {
  const [, vmid] = new RegExp(`^${prefixOf(dataDir)}-(\\d+)(?:-\\d+)?$`).exec(name) ?? [];
  return vmid === undefined ? undefined : Number(vmid);
}
