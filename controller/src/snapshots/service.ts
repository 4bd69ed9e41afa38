import { BerthError, type DiskOperationKind, isReservedSnapshotName, type Operation } from "@berth/protocol";
import type { UnitOfWork } from "../http/context.ts";
import type { OperationJournal } from "../operations/journal.ts";
import { presentOperation } from "../operations/record.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { SandboxService } from "../sandboxes/service.ts";
import { type SnapshotLook, stillDeletable, stillThere } from "./look.ts";

export interface DiskWishDependencies {
  readonly sandboxes: Sandboxes;
  readonly service: Pick<SandboxService, "begin" | "look">;
  readonly journal: OperationJournal;
}

/** What people want of a sandbox's disk. */
export interface DiskWish {
  readonly kind: DiskOperationKind;
  /** Of the snapshot. */
  readonly name: string;
  readonly description?: string | undefined;
  /** A snapshot of this name was there just now. */
  readonly taken?: boolean;
}

/**
 * Wants something done with a sandbox's disk; the reconciler does it. `look` tells whether there is the snapshot that is
 * gone back to or deleted: Proxmox is not asked while the transaction holds the row. Throws `conflict` while something
 * else is done with the sandbox, `not_found` where there is no such snapshot, `sandbox_not_ready` for a sandbox that has
 * not been made yet, `invalid_request` for a name that is reserved, and `name_taken` for one that is taken.
 */
export async function wantDiskWork(
  work: UnitOfWork,
  { sandboxes, service, journal }: DiskWishDependencies,
  { id }: SandboxRow,
  wish: DiskWish,
  look?: SnapshotLook,
): Promise<Operation> {
  const row = await sandboxes.lock(work, id);
  if (!row) throw new BerthError("not_found", `There is no sandbox ${id}.`);
  if (wish.kind === "snapshot") refuseReserved(wish.name);
  const current = await journal.current(row.id, work.trx);
  // The same wish again is the same work.
  const isSame = row.disk_work?.kind === wish.kind && row.disk_work.name === wish.name;
  if (isSame && current?.kind === wish.kind) return presentOperation(current);
  requireMade(row);
  // Of work whose end was not seen, it may be the one that this work has taken.
  if (wish.kind === "snapshot" && wish.taken === true && !isSame) throw snapshotNameTaken(row, wish.name);
  if (current) {
    throw new BerthError("conflict", `A ${current.kind.replace("_", " ")} of "${row.name}" is under way.`, {
      hint: "Wait for its end.",
    });
  }
  // What has failed without its end having been seen goes on where it was, and may be done by now.
  const check = wish.kind === "delete_snapshot" ? stillDeletable : stillThere;
  if (look && !isSame) await check(work, row, look, wish.name);
  const operation = await service.begin(work, row, wish.kind);
  const { kind, name, description } = wish;
  const asked = { kind, name, operationId: operation.id, ...(description === undefined ? {} : { description }) };
  if (!isSame) await sandboxes.changeIn(work, row, { disk_work: JSON.stringify(asked) });
  await service.look(work, row);
  return operation;
}

function refuseReserved(name: string): void {
  if (!isReservedSnapshotName(name)) return;
  throw new BerthError("invalid_request", `No snapshot may be called "${name}".`, {
    hint: "Choose another name.",
    fields: { name: "is reserved" },
  });
}

function snapshotNameTaken({ name: sandbox }: SandboxRow, name: string): BerthError {
  return new BerthError("name_taken", `The sandbox "${sandbox}" has a snapshot ${name} already.`, {
    hint: "Choose another name, or delete that one first.",
  });
}

/** Before its first start a sandbox has nothing of its own, and the keys of its template. */
export function requireMade(row: SandboxRow): void {
  const made = row.configured && row.host_key_fingerprint !== null && row.workspace_filled && !row.handover_wanted;
  if (made && row.desired !== "destroyed") return;
  throw new BerthError("sandbox_not_ready", `The sandbox "${row.name}" has not been ready yet.`, {
    hint: "Start it, and wait until its state is ready.",
  });
}
