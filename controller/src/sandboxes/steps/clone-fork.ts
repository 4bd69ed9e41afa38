import { isProxmoxError } from "@berth/proxmox";
import { describeOwner } from "../../fleet/ownership.ts";
import type { OperationRow } from "../../operations/record.ts";
import type { SandboxRow } from "../record.ts";
import { askForClone, isLinkedCloneRefused, settleExisting } from "./clone.ts";
import { type ActionDependencies, place } from "./dependencies.ts";
import { toldOf } from "./describe.ts";
import { forkOf, sourceLocked } from "./fork.ts";

/** Where a clone that shares the blocks of a snapshot stays whole when the snapshot is removed. */
const sharing: ReadonlySet<string> = new Set(["lvmthin", "btrfs"]);

/**
 * Clones the source of a fork, or a snapshot of it. As with a template the call takes the id or is refused, so that it
 * may be repeated; the source is locked meanwhile.
 */
export async function cloneFork(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const source = forkOf(row);
  const { vmid } = place(row);
  const owner = await deps.sandboxes.ownerName(row);
  const from = { node: source.node, vmid: source.vmid };
  const begin = (full: boolean) => () =>
    deps.client.containers.clone(from, {
      newId: vmid,
      hostname: row.name,
      description: describeOwner(deps.keys, row.id, vmid, toldOf(row, owner)),
      full,
      ...(source.snapshot === null ? {} : { snapshot: source.snapshot }),
      ...(deps.pool === undefined ? {} : { pool: deps.pool }),
    });
  try {
    if (source.snapshot !== null && (await sharesBlocks(deps, from))) {
      try {
        return await askForClone(deps, row, operation, { source: from.vmid, begin: begin(false) });
      } catch (error) {
        if (!isLinkedCloneRefused(error)) throw error;
      }
    }
    await askForClone(deps, row, operation, { source: from.vmid, begin: begin(true) });
  } catch (error) {
    if (isProxmoxError(error, "exists")) return await settleExisting(deps, row, from.node);
    if (isProxmoxError(error, "locked")) throw await sourceLocked(deps, row, from, error.failure.lock, error);
    if (
      isProxmoxError(error, "other") &&
      /running container without snapshots|snapshot '.*' does not exist/.test(error.message)
    ) {
      // It was started, or the snapshot deleted, since it was looked at: that is to be prepared anew.
      await deps.sandboxes.change(row, { source: JSON.stringify({ ...source, prepared: false }) });
      return;
    }
    throw error;
  }
}

/** Whether the source's disk is on a storage where a copy of a snapshot costs nothing. What cannot be asked is a no. */
async function sharesBlocks({ client }: ActionDependencies, at: { node: string; vmid: number }): Promise<boolean> {
  try {
    const { rootfs } = await client.containers.config(at);
    const name = rootfs?.volume?.split(":")[0];
    const storages = await client.storages.list(at.node);
    return sharing.has(storages.find(({ storage }) => storage === name)?.type ?? "");
  } catch (error) {
    if (isProxmoxError(error, "forbidden")) return false;
    throw error;
  }
}
