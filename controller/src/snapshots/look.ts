import { BerthError, type DiskOperationKind, type Snapshot } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import type { Kysely } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Database } from "../store/tables.ts";
import { findSnapshots, type SnapshotList } from "./list.ts";

/** What was seen of a sandbox's snapshots before a transaction, in which nobody outside is asked. */
export interface SnapshotLook extends SnapshotList {
  /** Of the container that was asked about. */
  readonly vmid: number | null;
  /** The last work on its disk that was wished for until then. */
  readonly lastWork: string | undefined;
}

/** Asks Proxmox for a sandbox's snapshots. Throws `proxmox_unavailable`. */
export async function lookAtSnapshots(
  db: Kysely<Database>,
  client: ProxmoxClient,
  row: SandboxRow,
): Promise<SnapshotLook> {
  // Read first: what is wished for while Proxmox is asked then shows.
  const lastWork = await lastWorkOn(db, row.id);
  return { vmid: row.vmid, lastWork, ...(await findSnapshots(client, row)) };
}

/**
 * The snapshot of this name in what was seen, which is still so. Throws `conflict` if the disk was worked on since, and
 * `not_found`. What somebody does in Proxmox itself is found by the work, which looks again.
 */
export async function stillThere(
  work: UnitOfWork,
  row: SandboxRow,
  look: SnapshotLook,
  name: string,
): Promise<Snapshot> {
  await requireUnchanged(work, row, look);
  const found = look.snapshots.find((snapshot) => snapshot.name === name);
  if (!found) throw noSnapshot(row, name);
  return found;
}

/** The same of one that is to be deleted, which need not be whole: it may be what a deletion left that broke off. */
export async function stillDeletable(
  work: UnitOfWork,
  row: SandboxRow,
  look: SnapshotLook,
  name: string,
): Promise<void> {
  await requireUnchanged(work, row, look);
  const names = [...look.snapshots.map((snapshot) => snapshot.name), ...look.halves];
  if (!names.includes(name)) throw noSnapshot(row, name);
}

async function requireUnchanged({ trx }: UnitOfWork, row: SandboxRow, look: SnapshotLook): Promise<void> {
  if (row.vmid !== look.vmid || (await lastWorkOn(trx, row.id)) !== look.lastWork) {
    throw new BerthError("conflict", `The snapshots of "${row.name}" were changed just now.`, {
      hint: "Look at them, and try again.",
    });
  }
}

function noSnapshot({ name: sandbox }: SandboxRow, name: string): BerthError {
  return new BerthError("not_found", `The sandbox "${sandbox}" has no snapshot ${name}.`);
}

const kinds: readonly DiskOperationKind[] = ["snapshot", "delete_snapshot", "rollback"];

async function lastWorkOn(db: Kysely<Database>, sandboxId: string): Promise<string | undefined> {
  const last = await db
    .selectFrom("operations")
    .select("id")
    .where("sandbox_id", "=", sandboxId)
    .where("kind", "in", kinds)
    .orderBy("created_at", "desc")
    .orderBy("id")
    .limit(1)
    .executeTakeFirst();
  return last?.id;
}
