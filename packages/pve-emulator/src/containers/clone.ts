import type { Caller } from "../access/caller.ts";
import { canLink } from "../cluster/cluster.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { readPropertyString } from "../schema/property-string.ts";
import { requireStorageOn, spaceOf } from "../storage/storages.ts";
import { Interrupted, type TaskContext, wasKilled } from "../tasks/task.ts";
import { type ConfigValues, type Container, isTemplate, newContainer, requireUnlocked } from "./container.ts";
import { bridgeOf, cardNames, withNewMac } from "./network-cards.ts";
import { diskSize, rootfsValue, storageOf, volumeOf } from "./root-disk.ts";

/** What a clone that shares its template's disk needs at first. */
const linkedCloneBytes = 1024 * 1024;

export interface CloneOrder {
  readonly source: number;
  readonly target: number;
  readonly full?: boolean;
  readonly hostname?: string;
  readonly description?: string;
  readonly pool?: string;
  readonly storage?: string;
  readonly snapshot?: string;
  readonly node?: string;
  /** KiB a second. */
  readonly bandwidthLimit?: number;
}

/**
 * Starts a clone; answers its UPID. The new id is taken, and the source locked, before this resolves: of several
 * clones of one source, or into one id, the first wins and the others fail at once.
 */
export async function startClone(emulation: Emulation, order: CloneOrder, caller: Caller): Promise<string> {
  const { store, tasks } = emulation;
  checkPlaces(emulation, order);
  const source = store.require(order.source);
  requireUnlocked(source);
  const full = order.full ?? !isTemplate(source);
  const origin = originOf(source, order, full, emulation.backend.running(source.vmid) !== undefined);
  const storage = checkStorage(emulation, origin, { order, full, caller });
  authoriseBridges(emulation, origin, caller);
  const target = newContainer(order.target, targetValues(origin, order), source.lxc);
  // Adding the target takes its id synchronously, so that the lock below is set in the same turn.
  const created = store.create(target);
  if (store.find(order.target) === target) source.values.lock = "disk";
  try {
    await created;
    await store.save(source);
    const task = { type: "vzclone", id: String(source.vmid), caller, ownCheckpoint: true };
    return await tasks.start(task, (context) =>
      runClone(emulation, { source, target, origin, order, full, storage }, context),
    );
  } catch (error) {
    if (store.find(order.target) === target) {
      delete source.values.lock;
      await Promise.allSettled([store.save(source), store.remove(target)]);
    }
    throw error;
  }
}

function checkPlaces({ cluster, pools, site }: Emulation, order: CloneOrder): void {
  if (order.pool !== undefined && !pools.get(order.pool)) throw ApiError.died(`pool '${order.pool}' does not exist`);
  if (order.node !== undefined && order.node !== "localhost" && !cluster.find(order.node)) {
    throw ApiError.died(`no such cluster node '${order.node}'`);
  }
  if (order.storage === undefined) return;
  const storage = requireStorageOn(cluster, order.storage, site.node);
  if (elsewhere(order, site.node) === undefined) return;
  requireStorageOn(cluster, order.storage, order.node ?? "");
  if (!storage.shared) throw ApiError.died(`can't clone to non-shared storage '${order.storage}'`);
}

/** Where the clone is to be, if not on the host of its source. */
function elsewhere({ node }: CloneOrder, here: string): string | undefined {
  return node === here || node === "localhost" ? undefined : node;
}

/** The storage that the clone's disk is to be on. */
function checkStorage(
  { cluster, rights, site }: Emulation,
  origin: ConfigValues,
  { order, full, caller }: { order: CloneOrder; full: boolean; caller: Caller },
): string {
  const own = storageOf(origin);
  const name = order.storage ?? own;
  rights.require(caller, `/storage/${name}`, "Datastore.AllocateSpace");
  const { shared } = requireStorageOn(cluster, name, site.node);
  if (!full && !canLink(requireStorageOn(cluster, own, site.node).type)) {
    const volume = readPropertyString(origin.rootfs ?? "", "volume").volume ?? "";
    throw ApiError.died(`Linked clone feature for '${volume}' is not available`);
  }
  const target = elsewhere(order, site.node);
  if (target !== undefined && !shared)
    throw ApiError.died(`can't clone CT to node '${target}' (CT uses local storage)`);
  if (target !== undefined) requireStorageOn(cluster, name, target);
  return name;
}

/** The configuration that is copied: the present one or that of a snapshot. */
function originOf(source: Container, order: CloneOrder, full: boolean, running: boolean): ConfigValues {
  if (order.storage !== undefined && !full) throw ApiError.died("parameter 'storage' not allowed for linked clones");
  if (order.snapshot !== undefined) {
    const snapshot = source.snapshots[order.snapshot];
    if (!snapshot) throw ApiError.died(`snapshot '${order.snapshot}' does not exist`);
    return snapshot.values;
  }
  if (full && running) throw ApiError.died("Cannot do full clones on a running container without snapshots");
  if (!full && !isTemplate(source)) {
    throw ApiError.died("Linked clone feature for 'rootfs' is not available");
  }
  return source.values;
}

function authoriseBridges(emulation: Emulation, origin: ConfigValues, caller: Caller): void {
  for (const name of cardNames(origin)) {
    const bridge = bridgeOf(origin[name] ?? "");
    if (bridge !== undefined) emulation.rights.require(caller, `/sdn/zones/localnetwork/${bridge}`, "SDN.Use");
  }
}

/** The new configuration while the clone runs: locked, and without a disk. */
function targetValues(origin: ConfigValues, order: CloneOrder): ConfigValues {
  const { template: _template, rootfs: _rootfs, lock: _lock, ...inherited } = origin;
  const values: ConfigValues = { ...inherited, lock: "create" };
  for (const name of cardNames(values)) values[name] = withNewMac(values[name] ?? "");
  if (order.hostname !== undefined) values.hostname = order.hostname;
  if (order.description !== undefined) values.description = order.description.replace(/\n$/, "");
  return values;
}

interface CloneJob {
  readonly source: Container;
  readonly target: Container;
  readonly origin: ConfigValues;
  readonly order: CloneOrder;
  readonly full: boolean;
  readonly storage: string;
}

async function runClone(emulation: Emulation, job: CloneJob, context: TaskContext): Promise<void> {
  try {
    await copyInto(emulation, job, context);
  } catch (error) {
    // A worker that is gone leaves both locks and the half-made container.
    if (wasKilled(error, context.signal)) throw error;
    await removeHalf(emulation, job.target);
    await unlockSource(emulation, job.source);
    throw new Error(`clone failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  await unlockSource(emulation, job.source);
}

async function copyInto(emulation: Emulation, job: CloneJob, { log, signal, checkpoint }: TaskContext): Promise<void> {
  const { backend, store, pools } = emulation;
  const { source, target, origin, order, full, storage } = job;
  const disk = readPropertyString(origin.rootfs ?? "", "volume");
  log(`create ${full ? "full" : "linked"} clone of mountpoint rootfs (${disk.volume})`);
  await checkpoint();
  await requireSpace(emulation, job);
  await backend.disks.copy(source.vmid, order.snapshot, target.vmid, {
    linked: !full,
    signal,
    log,
    ...(order.bandwidthLimit ? { bytesPerSecond: order.bandwidthLimit * 1024 } : {}),
  });
  if (signal.aborted) throw new Interrupted();
  target.values.rootfs = rootfsValue(volumeOf(storage, target.vmid), disk);
  if (!full) target.linked = true;
  if (order.pool !== undefined) await pools.join(order.pool, target.vmid);
  delete target.values.lock;
  // Last, as on PVE: until then the configuration is on the host of the source.
  store.move(target, order.node === undefined || order.node === "localhost" ? emulation.site.node : order.node);
  await store.save(target);
  emulation.report(`container ${target.vmid} cloned from ${source.vmid}`);
}

async function requireSpace(emulation: Emulation, { source, full, storage }: CloneJob): Promise<void> {
  const { avail } = await spaceOf(emulation, requireStorageOn(emulation.cluster, storage, emulation.site.node));
  const needed = full ? diskSize(source) : linkedCloneBytes;
  if (avail < needed) throw new Error(`unable to create image: No space left on device (storage '${storage}')`);
}

async function removeHalf({ backend, pools, store }: Emulation, target: Container): Promise<void> {
  await pools.leave(target.vmid);
  await backend.disks.remove(target.vmid);
  await store.remove(target);
}

async function unlockSource({ store }: Emulation, source: Container): Promise<void> {
  delete source.values.lock;
  await store.save(source);
}
