import { BerthError, type Snapshot } from "@berth/protocol";
import { type ContainerSnapshot, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { SandboxRow } from "../sandboxes/record.ts";
import { readSnapshotDescription } from "./mark.ts";

/** A sandbox's snapshots as Proxmox has them, the oldest first. Throws `proxmox_unavailable`. */
export async function snapshotsOf(client: ProxmoxClient, row: SandboxRow): Promise<Snapshot[]> {
  if (row.vmid === null || row.node === null || !row.configured) return [];
  try {
    const found = await client.snapshots.list({ node: row.node, vmid: row.vmid });
    return found
      .filter(({ unfinished }) => unfinished === undefined)
      .sort((a, b) => (a.takenAtSeconds ?? 0) - (b.takenAtSeconds ?? 0))
      .map(presentSnapshot);
  } catch (error) {
    if (!isProxmoxError(error)) throw error;
    throw new BerthError("proxmox_unavailable", error.message, { hint: error.hint, cause: error });
  }
}

function presentSnapshot({ name, description, parent, takenAtSeconds, current }: ContainerSnapshot): Snapshot {
  const { words, mark } = readSnapshotDescription(description);
  return {
    name,
    description: words,
    takenAt: takenAtSeconds ? new Date(takenAtSeconds * 1_000).toISOString() : null,
    parent: parent ?? null,
    running: mark?.running ?? null,
    current,
  };
}
