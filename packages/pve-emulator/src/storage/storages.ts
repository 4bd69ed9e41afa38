import type { Caller } from "../access/caller.ts";
import type { Emulation, Site } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { archiveStorage } from "./archives.ts";

/** Either of these lets a caller see a storage. */
export const storageAuditors = ["Datastore.Audit", "Datastore.AllocateSpace"] as const;

/** A storage as lists show it. */
export interface StorageDescription {
  readonly storage: string;
  readonly type: "btrfs" | "dir";
  /** Kinds of volumes, separated by commas. */
  readonly content: string;
  readonly active: 1;
  readonly enabled: 1;
  readonly shared: 0;
}

const always = { active: 1, enabled: 1, shared: 0 } as const;

/**
 * The containers' disks, in the data folder, which allows linked clones and snapshots as btrfs does; and, as on every
 * Proxmox VE, a folder named `local`, here for archives alone.
 */
export function storagesOf(site: Site): readonly StorageDescription[] {
  return [
    { storage: archiveStorage, type: "dir", content: "vztmpl,iso,backup", ...always },
    { storage: site.storage, type: "btrfs", content: "rootdir,images", ...always },
  ];
}

/** The storages that a caller may see. */
export function visibleStorages({ site, rights }: Emulation, caller: Caller): readonly StorageDescription[] {
  return storagesOf(site).filter(({ storage }) => rights.has(caller, `/storage/${storage}`, ...storageAuditors));
}

/** The storage that a call is about; throws the 400 that PVE answers when there is none. */
export function requireStorage(site: Site, name: string): StorageDescription {
  const found = storagesOf(site).find(({ storage }) => storage === name);
  if (!found) throw ApiError.parameters({ storage: "No such storage." });
  return found;
}

/** The storage that a call is to use; throws the 500 that PVE answers when there is none. */
export function requireUsableStorage(site: Site, name: string): StorageDescription {
  const found = storagesOf(site).find(({ storage }) => storage === name);
  if (!found) throw ApiError.died(`storage '${name}' does not exist`);
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

/** The space of a storage: they all lie on the same disk. */
export async function spaceFigures({ backend }: Emulation): Promise<SpaceFigures> {
  const { totalBytes, availableBytes } = await backend.disks.space();
  const used = totalBytes - availableBytes;
  return { total: totalBytes, avail: availableBytes, used, used_fraction: used / totalBytes };
}
