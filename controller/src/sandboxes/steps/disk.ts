import type { DiskOperationKind } from "@berth/protocol";
import { type ContainerRef, type ContainerSnapshot, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import { formerSecrets } from "../../agents/secrets.ts";
import type { OperationRow } from "../../operations/record.ts";
import { describeSnapshot, readSnapshotDescription } from "../../snapshots/mark.ts";
import type { DiskWork } from "../../store/tables.ts";
import { StepFailure } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import { beginOn } from "../task-watch.ts";
import { type ActionDependencies, place } from "./dependencies.ts";

type Perform = (row: SandboxRow, operation: OperationRow) => Promise<void>;

/** What is done with a sandbox's disk. Each may be repeated after a kill at any line. */
export function diskActions(deps: ActionDependencies): Record<DiskOperationKind, Perform> {
  const { client, sandboxes, journal, tasks } = deps;
  const done = (row: SandboxRow) => sandboxes.change(row, { disk_work: null });
  return {
    snapshot: async (row, operation) => {
      const at = place(row);
      const work = workOf(row, "snapshot");
      const taken = await takeSnapshot(deps, row, operation, at, work);
      await journal.log(operation, "snapshot", "berth", `took the snapshot ${taken}`);
      await done(row);
    },
    delete_snapshot: async (row, operation) => {
      const at = place(row);
      const { name } = workOf(row, "delete_snapshot");
      const begin = await removalOf(client, at, name);
      if (begin) await tasks.run(row, operation, "delete_snapshot", begin, []);
      await done(row);
    },
    rollback: async (row, operation) => {
      const at = place(row);
      const { name } = workOf(row, "rollback");
      const snapshot = await findSnapshot(client, at, name);
      if (!snapshot || snapshot.unfinished !== undefined) throw noSnapshot(row.name, name);
      const begin = () => beginOn(client, at, "vzrollback", () => client.snapshots.rollback(at, name));
      await tasks.run(row, operation, "rollback", begin, []).catch(told(row.name));
      deps.dropLink(row.id);
      await journal.log(operation, "rollback", "berth", `its disk is as it was at the snapshot ${name}`);
      await deps.rolledBack(row.id);
      // The disk may have secrets and keys of an earlier time, and the configuration the settings of then.
      await sandboxes.change(row, {
        ...{ disk_work: null, change_wanted: true, bootstrapped_at: null, address: null },
        ...{ agent_secret_hash: null, former_agent_secret_hashes: formerSecrets(row) },
        access_delivered: null,
        unsaved_then: null,
        boot_done: row.boot_wanted,
      });
    },
  };
}

/** Takes a snapshot, or finds that it was taken for this very operation. Answers its name. */
async function takeSnapshot(
  { client, tasks }: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
  at: ContainerRef,
  { name, description = "", operationId }: DiskWork,
): Promise<string> {
  const found = await findSnapshot(client, at, name);
  if (found?.unfinished !== undefined) await tasks.run(row, operation, "snapshot", forced(client, at, name), []);
  else if (found) {
    if (readSnapshotDescription(found.description).mark?.operationId === operationId) return name;
    throw new StepFailure(
      {
        code: "snapshot_exists",
        message: `The sandbox "${row.name}" has a snapshot ${name} already.`,
        hint: "Choose another name, or delete that one first.",
      },
      { retry: false },
    );
  }
  const { running } = await client.containers.status(at);
  const order = { name, description: describeSnapshot(description, { running, operationId }) };
  const begin = () => beginOn(client, at, "vzsnapshot", () => client.snapshots.create(at, order));
  await tasks.run(row, operation, "snapshot", begin, []).catch(told(row.name));
  return name;
}

/** A container's snapshot of this name. */
export async function findSnapshot(
  client: ProxmoxClient,
  at: ContainerRef,
  name: string,
): Promise<ContainerSnapshot | undefined> {
  return (await client.snapshots.list(at)).find((snapshot) => snapshot.name === name);
}

/** What begins to remove a snapshot; undefined: there is none. */
export async function removalOf(
  client: ProxmoxClient,
  at: ContainerRef,
  name: string,
): Promise<(() => Promise<string>) | undefined> {
  const found = await findSnapshot(client, at, name);
  if (!found) return undefined;
  if (found.unfinished !== undefined) return forced(client, at, name);
  return () => beginOn(client, at, "vzdelsnapshot", () => client.snapshots.remove(at, name));
}

/** Half a snapshot is in the configuration, and perhaps not on disk. */
function forced(client: ProxmoxClient, at: ContainerRef, name: string): () => Promise<string> {
  return () => beginOn(client, at, "vzdelsnapshot", () => client.snapshots.remove(at, name, { force: true }));
}

/** What a storage without snapshots says, in words that help. */
export function told(sandboxName: string): (error: unknown) => never {
  return (error) => {
    if (!isProxmoxError(error, "other") || !/snapshot feature is not available/i.test(error.message)) throw error;
    throw new StepFailure(
      {
        code: "snapshots_unsupported",
        message: `The storage of the sandbox "${sandboxName}" cannot take snapshots.`,
        hint: "Move the container's disk to ZFS, LVM-thin, Btrfs or Ceph in Proxmox; copies of it can be made while it is stopped.",
      },
      { retry: false, cause: error },
    );
  };
}

function noSnapshot(sandboxName: string, name: string): StepFailure {
  return new StepFailure(
    {
      code: "snapshot_missing",
      message: `The sandbox "${sandboxName}" has no snapshot ${name} that is whole.`,
      hint: "See its snapshots; somebody may have deleted it in Proxmox.",
    },
    { retry: false },
  );
}

function workOf(row: SandboxRow, kind: DiskOperationKind): DiskWork {
  const { disk_work: work } = row;
  if (work?.kind !== kind) throw new Error(`nothing of the kind ${kind} is to be done with the disk of ${row.id}`);
  return work;
}
