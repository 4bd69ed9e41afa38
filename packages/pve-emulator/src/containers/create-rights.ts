import { type Caller, isRootItself } from "../access/caller.ts";
import type { Rights } from "../access/rights.ts";
import { ApiError } from "../http/api-error.ts";
import type { ParameterValue } from "../schema/parameter.ts";
import { isOn, readPropertyString } from "../schema/property-string.ts";
import { configOption } from "./config-options.ts";
import { bridgeOf } from "./network-cards.ts";

/** Options of a configuration that is to be. */
export type NewOptions = Readonly<Record<string, ParameterValue | undefined>>;

interface Creation {
  readonly vmid: number;
  readonly pool: string | undefined;
  readonly options: NewOptions;
}

/** Throws the 403 unless the caller may make a container of this id, or one in this pool. */
export function requirePlace(rights: Rights, caller: Caller, vmid: number, pool: string | undefined): void {
  const allowed =
    rights.has(caller, `/vms/${vmid}`, "VM.Allocate") ||
    (pool !== undefined && rights.has(caller, `/pool/${pool}`, "VM.Allocate"));
  if (!allowed) throw ApiError.permission();
}

/** Throws the 403 of options that the caller may not set on a container that is yet to be. */
export function authoriseCreation(rights: Rights, caller: Caller, creation: Creation): void {
  if (isRootItself(caller)) return;
  for (const [name, value] of Object.entries(creation.options)) {
    // Who may create may choose this one.
    if (value === undefined || name === "unprivileged") continue;
    authoriseOption(rights, caller, creation, name, String(value));
  }
}

function authoriseOption(rights: Rights, caller: Caller, creation: Creation, name: string, value: string): void {
  if (name === "features") {
    authoriseFeatures(rights, caller, creation, value);
    return;
  }
  if (name === "hookscript") throw ApiError.denied("changing the hookscript is only allowed for root@pam");
  if (/^dev\d+$/.test(name)) throw ApiError.denied("configuring device passthrough is only allowed for root@pam");
  if (name === "tags") {
    // PVE does not think of the pool here: who has rights on a pool only sets tags afterwards.
    rights.require(caller, `/vms/${creation.vmid}`, "VM.Config.Options");
    return;
  }
  const privilege = configOption(name)?.privilege ?? "VM.Config.Options";
  requireHere(rights, caller, creation, privilege === "root" ? "VM.Config.Options" : privilege);
  if (/^net\d+$/.test(name)) {
    const bridge = bridgeOf(value);
    if (bridge !== undefined) rights.require(caller, `/sdn/zones/localnetwork/${bridge}`, "SDN.Use");
  }
  if (name === "rootfs" || /^mp\d+$/.test(name)) authoriseDisk(rights, caller, value);
}

/** Nesting may be had by whoever may make containers; every other feature by root itself. */
function authoriseFeatures(rights: Rights, caller: Caller, creation: Creation, value: string): void {
  if (!creation.options.unprivileged) {
    throw ApiError.denied("changing feature flags for privileged container is only allowed for root@pam");
  }
  const features = readPropertyString(value);
  const names = Object.keys(features);
  if (names.length === 0) return;
  // PVE takes `nesting=0` for a change of another kind.
  if (names.length > 1 || !isOn(features.nesting)) {
    throw ApiError.denied("changing feature flags (except nesting) is only allowed for root@pam");
  }
  requireHere(rights, caller, creation, "VM.Allocate");
}

function authoriseDisk(rights: Rights, caller: Caller, value: string): void {
  const { volume = "" } = readPropertyString(value, "volume");
  if (volume.startsWith("/")) {
    const type = volume.startsWith("/dev/") ? "device" : "bind";
    throw ApiError.denied(`mount point type ${type} is only allowed for root@pam`);
  }
  const storage = /^([^:\s]+):\d+(?:\.\d+)?$/.exec(volume)?.[1];
  // So PVE says of a size without a storage too.
  if (!volume.includes(":")) throw ApiError.died("Only root can pass arbitrary filesystem paths.");
  if (storage !== undefined) rights.require(caller, `/storage/${storage}`, "Datastore.AllocateSpace");
}

/** A right on the pool that the container will be in is as good as one on the container. */
function requireHere(rights: Rights, caller: Caller, { vmid, pool }: Creation, privilege: string): void {
  if (pool !== undefined && rights.has(caller, `/pool/${pool}`, privilege)) return;
  rights.require(caller, `/vms/${vmid}`, privilege);
}
