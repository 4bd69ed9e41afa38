import { BerthError, type Snapshot } from "@berth/protocol";
import { type ContainerSnapshot, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { SandboxRow } from "../sandboxes/record.ts";
import { readSnapshotDescription } from "./mark.ts";

/** What there is of snapshots. */
export interface SnapshotList {
  /** Those that are whole, the oldest first. */
  readonly snapshots: readonly Snapshot[];
  /** The names of those that are half made or half deleted: nothing can be done with them but to delete them. */
  readonly halves: readonly string[];
}

/** A sandbox's snapshots as Proxmox has them. Throws `proxmox_unavailable`. */
export async function findSnapshots(client: ProxmoxClient, row: SandboxRow): Promise<SnapshotList> {
  if (row.vmid === null || row.node === null || !row.configured) return { snapshots: [], halves: [] };
  try {
    const found = await client.snapshots.list({ node: row.node, vmid: row.vmid });
    const whole = found.filter(({ unfinished }) => unfinished === undefined);
    return {
      snapshots: whole.sort((a, b) => (a.takenAtSeconds ?? 0) - (b.takenAtSeconds ?? 0)).map(presentSnapshot),
      halves: found.filter((snapshot) => !whole.includes(snapshot)).map(({ name }) => name),
    };
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
