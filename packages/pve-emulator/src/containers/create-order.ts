import type { Caller } from "../access/caller.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { readPropertyString } from "../schema/property-string.ts";
import { architecture } from "../storage/appliance.ts";
import { holds, requireUsableStorage, storageAuditors } from "../storage/storages.ts";
import { parseVolumeId, splitVolumeId } from "../storage/volume-id.ts";
import type { ConfigValues } from "./container.ts";
import { authoriseCreation, type NewOptions, requirePlace } from "./create-rights.ts";
import { storedValue } from "./edit-config.ts";
import { verifiedPublicKeys } from "./public-keys.ts";
import { formatSize, rootfsValue, volumeOf } from "./root-disk.ts";

const gibibyte = 1024 ** 3;
/** What a root disk gets when nobody says. */
const defaultDiskGiB = 4;

/** What was asked for, as it came; all of it is verified by its form. */
export interface CreateRequest {
  readonly vmid: number;
  readonly ostemplate: string;
  readonly pool: string | undefined;
  readonly storage: string | undefined;
  readonly password: string | undefined;
  readonly publicKeys: string | undefined;
  readonly start: boolean;
  /** KiB a second. */
  readonly bandwidthLimit: number | undefined;
  /** Asked for with `restore`, `force` or `ignore-unpack-errors`. */
  readonly special: readonly string[];
  /** The options of its configuration. */
  readonly options: NewOptions;
}

/** A creation that its caller may begin. */
export interface CreateOrder {
  readonly vmid: number;
  /** Path of the archive; there may be none. */
  readonly archive: string;
  readonly diskBytes: number;
  /** As it stands in the names of the SSH host keys: without a domain, and PVE's word when nobody gave one. */
  readonly hostname: string;
  /** The configuration that the container gets. */
  readonly values: ConfigValues;
  readonly pool: string | undefined;
  readonly password: string | undefined;
  readonly publicKeys: string | undefined;
  readonly start: boolean;
  readonly bytesPerSecond: number | undefined;
}

/**
 * Checks a request in PVE's order: the id, the keys, the pool, the caller's rights, the archive, the disk. Throws what
 * PVE answers.
 */
export function readCreateOrder(emulation: Emulation, request: CreateRequest, caller: Caller): CreateOrder {
  const { store, rights, pools } = emulation;
  const { vmid, pool, options } = request;
  if (store.find(vmid)) throw ApiError.died(`CT ${vmid} already exists on node '${store.node}'`);
  const publicKeys = request.publicKeys === undefined ? undefined : verifiedPublicKeys(request.publicKeys);
  if (pool !== undefined && !pools.get(pool)) throw ApiError.denied(`pool '${pool}' does not exist`);
  requirePlace(rights, caller, vmid, pool);
  authoriseCreation(rights, caller, request);
  refuseWhatThereIsNot(request);
  const archive = readArchive(emulation, request.ostemplate, caller);
  const disk = readDisk(emulation, request, caller);
  return {
    vmid,
    archive,
    diskBytes: disk.bytes,
    hostname: String(options.hostname ?? "localhost").replace(/\..*$/, ""),
    values: { ...newValues(vmid, options), rootfs: disk.rootfs },
    pool,
    password: request.password,
    publicKeys,
    start: request.start,
    bytesPerSecond: request.bandwidthLimit ? request.bandwidthLimit * 1024 : undefined,
  };
}

/** What PVE can and this Proxmox cannot, which is better said than passed over. */
function refuseWhatThereIsNot({ special, options }: CreateRequest): void {
  const [first] = special;
  if (first !== undefined) throw ApiError.died(`this Proxmox makes new containers from archives only: no '${first}'`);
  if (!options.unprivileged)
    throw ApiError.died("this Proxmox runs unprivileged containers only: use 'unprivileged=1'");
  for (const name of Object.keys(options)) {
    if (/^(?:mp|dev|unused)\d+$/.test(name))
      throw ApiError.died(`this Proxmox has no disks but the root disk: no '${name}'`);
    if (["template", "lock", "hookscript"].includes(name))
      throw ApiError.died(`no container is created with '${name}'`);
  }
}

/** The path of the archive that a volume is. */
function readArchive(emulation: Emulation, volid: string, caller: Caller): string {
  const { rights, archives } = emulation;
  const parts = splitVolumeId(volid);
  if (!parts) throw ApiError.died("Only root can pass arbitrary filesystem paths.");
  requireUsableStorage(emulation, parts.storage);
  const volume = parseVolumeId(volid);
  if (!volume) throw ApiError.died(`unable to parse directory volume name '${parts.name}'`);
  if (volume.content !== "vztmpl") {
    throw ApiError.died(`unable to use volume ${volid} - content type needs to be 'vztmpl'`);
  }
  rights.require(caller, `/storage/${volume.storage}`, ...storageAuditors.toReversed());
  const path = archives.pathOf(volume.name);
  if (path === undefined) throw ApiError.died(`unable to parse directory volume name '${parts.name}'`);
  return path;
}

/** Where the root disk goes and how large it gets: `STORAGE:GIB`, a number, or 4 GiB on the request's storage. */
function readDisk(emulation: Emulation, request: CreateRequest, caller: Caller) {
  const { site, rights } = emulation;
  const given = readPropertyString(String(request.options.rootfs ?? defaultDiskGiB), "volume");
  const fallback = request.storage ?? "local";
  const wanted = given.volume ?? "";
  const [, on, size] =
    /^([^:\s]+):(\d+(?:\.\d+)?)$/.exec(/^\d+(?:\.\d+)?$/.test(wanted) ? `${fallback}:${wanted}` : wanted) ?? [];
  if (on === undefined || size === undefined) {
    throw ApiError.died(`this Proxmox makes new root disks only, such as '${site.storage}:8': no '${wanted}'`);
  }
  const storage = requireUsableStorage(emulation, on);
  if (!holds(storage, "rootdir")) {
    throw ApiError.parameters({ storage: `storage '${on}' does not support container directories` });
  }
  rights.require(caller, `/storage/${on}`, "Datastore.AllocateSpace");
  const bytes = Math.round(Number(size) * gibibyte);
  if (bytes === 0) throw ApiError.died("a root disk needs a size");
  return { bytes, rootfs: rootfsValue(volumeOf(on, request.vmid), { ...given, size: formatSize(bytes) }) };
}

function newValues(vmid: number, options: NewOptions): ConfigValues {
  const values: ConfigValues = {
    arch: architecture,
    hostname: `CT${vmid}`,
    memory: "512",
    ostype: "debian",
    swap: "512",
  };
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && name !== "rootfs") values[name] = storedValue(name, value);
  }
  return values;
}
