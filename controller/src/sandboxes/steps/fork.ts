import { newId } from "@berth/protocol";
import { type ContainerRef, isProxmoxError } from "@berth/proxmox";
import { readOwner } from "../../fleet/ownership.ts";
import type { OperationRow } from "../../operations/record.ts";
import { describeSnapshot, readSnapshotDescription } from "../../snapshots/mark.ts";
import type { ForkSource } from "../../store/tables.ts";
import { StepFailure } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import { beginOn } from "../task-watch.ts";
import { unlockHint } from "./clone.ts";
import type { ActionDependencies } from "./dependencies.ts";
import { findSnapshot, removalOf } from "./disk.ts";

/** What a fork is a copy of. Throws where it is none, which a plan never asks for. */
export function forkOf(row: SandboxRow): ForkSource {
  if (!row.source) throw new Error(`the sandbox ${row.id} is no copy of another`);
  return row.source;
}

/**
 * Sees to it that what is to be cloned is there: the snapshot that was named, the disk of a container that is stopped,
 * or, while it runs, a snapshot that is taken for this alone. Its name is written down before it is taken.
 */
export async function prepareFork(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const { client, sandboxes, journal } = deps;
  let source = forkOf(row);
  const at = await placeOfSource(deps, source);
  if (!at) throw sourceGone(source);
  const note = async (patch: Partial<ForkSource>) => {
    source = { ...source, ...patch, node: at.node };
    await sandboxes.change(row, { source: JSON.stringify(source) });
  };
  if (source.snapshot !== null && !source.temporary) {
    if (!(await findSnapshot(client, at, source.snapshot))) throw sourceGone(source);
    return note({ prepared: true });
  }
  const { running } = await client.containers.status(at);
  if (!running && !source.temporary) return note({ prepared: true });
  if (source.snapshot === null) await note({ snapshot: temporaryName(), temporary: true });
  await takeTemporary(deps, row, operation, at, forkOf(row).snapshot ?? "");
  await note({ prepared: true });
  await journal.log(operation, "snapshot", "berth", `took the snapshot ${source.snapshot}, to be removed again`);
}

/** Removes the snapshot that was taken for a fork alone, if it is still there. */
export async function releaseFork(
  deps: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
  step: "release" | "delete",
): Promise<void> {
  const { client, sandboxes, tasks } = deps;
  const source = forkOf(row);
  const at = await placeOfSource(deps, source);
  const begin = at && source.snapshot !== null ? await removalOf(client, at, source.snapshot) : undefined;
  try {
    if (begin) await tasks.run(row, operation, step, begin, []);
  } catch (error) {
    throw at && isProxmoxError(error, "locked") ? await sourceLocked(deps, row, at, error.failure.lock, error) : error;
  }
  // What is cloned again begins from the start.
  await sandboxes.change(row, { source: JSON.stringify(untaken(source)) });
}

/** The source as it was before a snapshot was taken for the copy alone. */
function untaken(source: ForkSource): ForkSource {
  return { ...source, snapshot: null, temporary: false, prepared: false };
}

/**
 * Where the container of a fork's source is now; undefined: it is gone. Its description has to say that it is the one:
 * an id may be somebody else's by now.
 */
async function placeOfSource(deps: ActionDependencies, source: ForkSource): Promise<ContainerRef | undefined> {
  const { client, keys, sandboxes } = deps;
  const row = await sandboxes.find(source.sandboxId);
  const at = { node: row?.node ?? source.node, vmid: source.vmid };
  try {
    const { description } = await client.containers.config(at);
    const owner = readOwner(keys, description, at.vmid);
    return owner.kind === "ours" && owner.sandboxId === source.sandboxId ? at : undefined;
  } catch (error) {
    if (isProxmoxError(error, "missing", "forbidden")) return undefined;
    throw error;
  }
}

async function takeTemporary(
  deps: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
  at: ContainerRef,
  name: string,
): Promise<void> {
  const { client, tasks } = deps;
  const found = await findSnapshot(client, at, name);
  const whole = found && found.unfinished === undefined;
  if (whole && readSnapshotDescription(found.description).mark) return;
  const description = describeSnapshot("For a copy of it", { running: true, operationId: operation.id });
  try {
    const leftover = found && (await removalOf(client, at, name));
    if (leftover) await tasks.run(row, operation, "snapshot", leftover, []);
    const begin = () => beginOn(client, at, "vzsnapshot", () => client.snapshots.create(at, { name, description }));
    await tasks.run(row, operation, "snapshot", begin, []);
  } catch (error) {
    if (isProxmoxError(error, "locked")) throw await sourceLocked(deps, row, at, error.failure.lock, error);
    if (!isProxmoxError(error, "other") || !/snapshot feature is not available/i.test(error.message)) throw error;
    // Nothing was taken; once it is stopped, it is copied as it is.
    await deps.sandboxes.change(row, { source: JSON.stringify(untaken(forkOf(row))) });
    throw new StepFailure(
      {
        code: "fork_needs_stop",
        message: "The sandbox to be copied runs, and its storage cannot take snapshots.",
        hint: "Stop it, and then press Start here; or move its disk to ZFS, LVM-thin, Btrfs or Ceph in Proxmox.",
      },
      { retry: false, cause: error },
    );
  }
}

/** Somebody works on the source, or a worker that was killed has left its lock. */
export async function sourceLocked(
  deps: ActionDependencies,
  row: SandboxRow,
  at: ContainerRef,
  lock: string,
  cause: unknown,
): Promise<StepFailure> {
  const working = await deps.client.tasks.list(at.node, { vmid: at.vmid, source: "active" });
  const message = `Proxmox holds the lock "${lock}" on the container ${at.vmid}, which is to be copied.`;
  const code = "source_locked";
  if (working.length > 0) {
    const hint = "A task works on it: Berth waits for its end.";
    return new StepFailure({ code, message, hint }, { retry: "patiently", cause });
  }
  const hint = await unlockHint(deps, row, at);
  return new StepFailure({ code, message, hint }, { retry: true, cause });
}

/** Of forty characters at most, and like no other. */
function temporaryName(): string {
  return `berth-${newId("operation").slice(3)}`;
}

function sourceGone({ snapshot }: ForkSource): StepFailure {
  const what =
    snapshot === null ? "The sandbox that was to be copied" : `The snapshot ${snapshot} that was to be copied`;
  return new StepFailure(
    { code: "source_gone", message: `${what} is gone.`, hint: "Delete this sandbox." },
    { retry: false },
  );
}
