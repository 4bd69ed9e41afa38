import type { Caller } from "../access/caller.ts";
import type { Cluster, StorageOptions, StorageType } from "../cluster/cluster.ts";
import { diskSize, storageOf } from "../containers/root-disk.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { archiveStorage } from "./archives.ts";

/** Either of these lets a caller see a storage. */
export const storageAuditors = ["Datastore.Audit", "Datastore.AllocateSpace"] as const;

/** A storage as lists show it. */
export interface StorageDescription {
  readonly storage: string;
  readonly type: StorageType;
  /** Kinds of volumes, separated by commas. */
  readonly content: string;
  readonly active: 1;
  readonly enabled: 1;
  readonly shared: 0 | 1;
}

const always = { active: 1, enabled: 1 } as const;

/**
 * What a host has: the storages of containers' disks, all of them in the data folder whatever they are called; and, as on
 * every Proxmox VE, a folder named `local`, here for archives alone.
 */
function storagesOf({ cluster, site }: Emulation): readonly StorageDescription[] {
  return [
    { storage: archiveStorage, type: "dir", content: "vztmpl,iso,backup", shared: 0, ...always },
    ...cluster.storagesOn(site.node).map(({ storage, type, shared }): StorageDescription => {
      return { storage, type, content: "rootdir,images", shared: shared ? 1 : 0, ...always };
    }),
  ];
}

/** The host's storages that a caller may see. */
export function visibleStorages(emulation: Emulation, caller: Caller): readonly StorageDescription[] {
  return storagesOf(emulation).filter(({ storage }) =>
    emulation.rights.has(caller, `/storage/${storage}`, ...storageAuditors),
  );
}

/** The storage that a call is about; throws the 400 that PVE answers when there is none. */
export function requireStorage(emulation: Emulation, name: string): StorageDescription {
  const found = storagesOf(emulation).find(({ storage }) => storage === name);
  if (!found) throw ApiError.parameters({ storage: "No such storage." });
  return found;
}

/** The storage that a call is to use; throws the 500 that PVE answers when there is none. */
export function requireUsableStorage(emulation: Emulation, name: string): StorageDescription {
  const found = storagesOf(emulation).find(({ storage }) => storage === name);
  if (found) return found;
  requireStorageOn(emulation.cluster, name, emulation.site.node);
  throw ApiError.died(`storage '${name}' does not exist`);
}

/** A storage for disks on a host; throws the 500 that PVE answers when the cluster, or the host, does not have it. */
export function requireStorageOn(cluster: Cluster, name: string, node: string): StorageOptions {
  if (!cluster.storages.some(({ storage }) => storage === name)) {
    throw ApiError.died(`storage '${name}' does not exist`);
  }
  const found = cluster.storagesOn(node).find(({ storage }) => storage === name);
  if (!found) throw ApiError.died(`storage '${name}' is not available on node '${node}'`);
  return found;
}

/** Whether a storage holds volumes of this kind, such as `rootdir`. */
export function holds(storage: StorageDescription, content: string): boolean {
  return storage.content.split(",").includes(content);
}

/** The space of a storage, in bytes. */
export interface SpaceFigures {
  readonly total: number;
  readonly avail: number;
  readonly used: number;
  /** 0 to 1. */
  readonly used_fraction: number;
}

/** The space of a storage that a host has. */
export function spaceFigures(emulation: Emulation, name: string): Promise<SpaceFigures> {
  const found = emulation.cluster.storagesOn(emulation.site.node).find(({ storage }) => storage === name);
  return spaceOf(emulation, found);
}

/**
 * The space of a storage as a host sees it. One with a size of its own is as full as whole disks on it, and what others
 * are said to use, make it; all else lies on the machine's disk.
 */
export async function spaceOf(emulation: Emulation, storage: StorageOptions | undefined): Promise<SpaceFigures> {
  if (storage?.totalBytes === undefined) {
    const { totalBytes, availableBytes } = await emulation.backend.disks.space();
    return figuresOf(totalBytes, totalBytes - availableBytes);
  }
  const { cluster, store, site } = emulation;
  const disks = store
    .everywhere()
    .filter(({ values, linked }) => storageOf(values) === storage.storage && !linked)
    .filter(({ node }) => storage.shared || node === site.node)
    .reduce((sum, container) => sum + diskSize(container), 0);
  return figuresOf(storage.totalBytes, Math.min(storage.totalBytes, disks + cluster.filledBytes(storage, site.node)));
}

function figuresOf(total: number, used: number): SpaceFigures {
  return { total, avail: total - used, used, used_fraction: used / total };
}
