import type { Caller } from "../access/caller.ts";
import { hasSnapshots } from "../cluster/cluster.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { requireStorageOn } from "../storage/storages.ts";
import { wasKilled } from "../tasks/task.ts";
import { type Container, isTemplate, requireUnlocked, type Snapshot } from "./container.ts";
import { bootContainer } from "./power.ts";
import { storageOf } from "./root-disk.ts";

/** Values that a snapshot does not take, and a rollback leaves alone. */
const ownValues = ["lock", "description", "template"] as const;

/** The snapshot; throws what PVE says when there is none. */
export function requireSnapshot(container: Container, name: string): Snapshot {
  const snapshot = Object.hasOwn(container.snapshots, name) ? container.snapshots[name] : undefined;
  if (!snapshot) throw ApiError.died(`snapshot '${name}' does not exist`);
  return snapshot;
}

export async function startSnapshot(
  emulation: Emulation,
  vmid: number,
  order: { name: string; description?: string },
  caller: Caller,
): Promise<string> {
  const { name, description } = order;
  if (name === "current") throw ApiError.died("unable to use snapshot name 'current' (reserved name)");
  if (name === "vzdump") throw ApiError.died("unable to use snapshot name 'vzdump' (reserved name)");
  return runLocked(
    emulation,
    { vmid, type: "vzsnapshot", lock: "snapshot", caller },
    async (container, release) => {
      await emulation.backend.disks.createSnapshot(vmid, name);
      delete container.snapshots[name]?.snapstate;
      container.parent = name;
      await release();
    },
    (container) => {
      const { type } = requireStorageOn(emulation.cluster, storageOf(container.values), emulation.site.node);
      if (isTemplate(container) || !hasSnapshots(type)) throw new Error("snapshot feature is not available");
      if (Object.hasOwn(container.snapshots, name)) throw new Error(`snapshot name '${name}' already used`);
      const values = { ...container.values };
      for (const key of ownValues) delete values[key];
      // It is in the configuration before it is on disk.
      container.snapshots[name] = {
        ...{ values, snaptime: Math.floor(emulation.clock.now() / 1000), snapstate: "prepare" },
        ...(description === undefined ? {} : { description: description.replace(/\n$/, "") }),
        ...(container.parent === undefined ? {} : { parent: container.parent }),
      };
      return () => void delete container.snapshots[name];
    },
  );
}

export async function startRollback(
  emulation: Emulation,
  vmid: number,
  order: { name: string; start: boolean },
  caller: Caller,
): Promise<string> {
  const { name } = order;
  const { backend } = emulation;
  return runLocked(
    emulation,
    { vmid, type: "vzrollback", lock: "rollback", caller },
    async (container, release) => {
      const snapshot = requireSnapshot(container, name);
      if (backend.running(vmid)) await backend.kill(vmid);
      await backend.disks.rollBack(vmid, name);
      const { description } = container.values;
      container.values = { ...snapshot.values, ...(description === undefined ? {} : { description }) };
      container.pending = {};
      container.pendingDelete = [];
      container.parent = name;
      await release();
      if (order.start) await bootContainer(emulation, vmid);
    },
    (container) => {
      const { snapstate } = requireSnapshot(container, name);
      if (snapstate) throw new Error(`unable to rollback to incomplete snapshot (snapstate = ${snapstate})`);
      return undefined;
    },
  );
}

export async function startSnapshotRemoval(
  emulation: Emulation,
  vmid: number,
  name: string,
  caller: Caller,
): Promise<string> {
  const order = { vmid, type: "vzdelsnapshot", lock: "snapshot-delete", caller };
  return runLocked(
    emulation,
    order,
    async (container, release) => {
      const { parent } = requireSnapshot(container, name);
      await emulation.backend.disks.removeSnapshot(vmid, name);
      forgetSnapshot(container, name, parent);
      await release();
    },
    (container) => {
      requireSnapshot(container, name).snapstate = "delete";
      return undefined;
    },
  );
}

/** Takes a snapshot out of the configuration; what descended from it descends from its parent. */
export function forgetSnapshot(container: Container, name: string, parent: string | undefined): void {
  delete container.snapshots[name];
  for (const heir of [container, ...Object.values(container.snapshots)]) {
    if (heir.parent !== name) continue;
    if (parent === undefined) delete heir.parent;
    else heir.parent = parent;
  }
}

interface LockedOrder {
  readonly vmid: number;
  readonly type: string;
  readonly lock: string;
  readonly caller: Caller;
}

/** Runs a task under a lock of the container's; `release` ends the lock together with the task's last change. */
function runLocked(
  { store, tasks }: Emulation,
  { vmid, type, lock, caller }: LockedOrder,
  work: (container: Container, release: () => Promise<void>) => Promise<void>,
  /** Throws what PVE refuses; answers what takes back what it has written, if that is to be for a failure. */
  prepare: (container: Container) => (() => void) | undefined,
): Promise<string> {
  return tasks.start({ type, id: String(vmid), caller, ownCheckpoint: true }, ({ checkpoint, signal }) =>
    store.exclusive(vmid, async () => {
      const container = store.require(vmid);
      requireUnlocked(container);
      const takeBack = prepare(container);
      container.values.lock = lock;
      await store.save(container);
      const release = () => {
        delete container.values.lock;
        return store.save(container);
      };
      try {
        await checkpoint();
        await work(container, release);
      } catch (error) {
        // A worker that is gone leaves its lock.
        if (!wasKilled(error, signal)) {
          takeBack?.();
          await release();
        }
        throw error;
      }
    }),
  );
}
