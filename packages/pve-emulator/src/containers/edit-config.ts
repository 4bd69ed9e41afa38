import { type Caller, isRootItself } from "../access/caller.ts";
import type { Rights } from "../access/rights.ts";
import { ApiError } from "../http/api-error.ts";
import { splitList } from "../schema/formats.ts";
import type { ParameterValue } from "../schema/parameter.ts";
import { readPropertyString } from "../schema/property-string.ts";
import { configOption } from "./config-options.ts";
import { type Container, digestOf, requireDigest, requireUnlocked } from "./container.ts";
import { bridgeOf, normaliseCard } from "./network-cards.ts";

/** A change of a configuration, as the API takes it. */
export interface ConfigEdit {
  readonly set: Readonly<Record<string, ParameterValue>>;
  readonly remove: readonly string[];
  readonly revert: readonly string[];
  readonly digest: string | undefined;
}

/** Reads `delete` and `revert` and everything else of a call; throws the 400 of options that are none. */
export function readEdit(given: Readonly<Record<string, ParameterValue | undefined>>): ConfigEdit {
  const { node: _node, vmid: _vmid, digest, delete: removeText, revert: revertText, ...rest } = given;
  const set: Record<string, ParameterValue> = {};
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) set[name] = value;
  const list = (value: ParameterValue | undefined) => (value === undefined ? [] : splitList(String(value)));
  const remove = list(removeText);
  const revert = list(revertText);
  for (const [parameter, names] of Object.entries({ delete: remove, revert })) {
    for (const name of names) {
      if (!configOption(name)) throw ApiError.parameters({ [parameter]: `unknown option '${name}'` });
      if (name in set) {
        throw ApiError.parameters({
          [parameter]: `you can't use '-${name}' and -${parameter} ${name}' at the same time`,
        });
      }
    }
  }
  return { set, remove, revert, digest: digest === undefined ? undefined : String(digest) };
}

/** Throws the 403 of options that the caller may not touch. */
export function authoriseEdit(edit: ConfigEdit, vmid: number, caller: Caller, rights: Rights): void {
  if (isRootItself(caller)) return;
  const path = `/vms/${vmid}`;
  for (const name of [...Object.keys(edit.set), ...edit.remove, ...edit.revert]) {
    if (name === "features") authoriseFeatures(String(edit.set.features ?? ""), path, caller, rights);
    const privilege = configOption(name)?.privilege;
    if (privilege === "root") throw new ApiError(403, `Only root may set option '${name}'`);
    if (privilege !== undefined) rights.require(caller, path, privilege);
    const bridge = /^net\d+$/.test(name) ? bridgeOf(String(edit.set[name] ?? "")) : undefined;
    if (bridge !== undefined) rights.require(caller, `/sdn/zones/localnetwork/${bridge}`, "SDN.Use");
  }
}

/** Nesting may be changed by whoever may make containers; every other feature by root itself. */
function authoriseFeatures(text: string, path: string, caller: Caller, rights: Rights): void {
  const features = readPropertyString(text);
  if (Object.keys(features).some((name) => name !== "nesting")) {
    throw ApiError.denied("changing feature flags (except nesting) is only allowed for root@pam");
  }
  rights.require(caller, path, "VM.Allocate");
}

/**
 * Changes a configuration in memory. What a running container cannot take up at once becomes pending. Throws, having
 * changed nothing, when the whole cannot be done.
 */
export function applyEdit(container: Container, edit: ConfigEdit, running: boolean): void {
  if (Object.keys(edit.set).length + edit.remove.length + edit.revert.length === 0) {
    throw ApiError.died("no options specified");
  }
  requireUnlocked(container);
  requireDigest(digestOf(container), edit.digest);
  for (const name of Object.keys(edit.set)) refuseReadOnly(name, container, edit);
  for (const name of edit.remove) {
    if (name === "memory" || name === "rootfs") throw ApiError.died(`unable to delete required option '${name}'`);
    refuseReadOnly(name, container, edit);
  }
  for (const name of edit.revert) forgetPending(container, name);
  for (const name of edit.remove) {
    // An option that is only pending stays so: that is for `revert`.
    if (!(name in container.values)) continue;
    forgetPending(container, name);
    if (running && !configOption(name)?.live) container.pendingDelete.push(name);
    else delete container.values[name];
  }
  for (const [name, value] of Object.entries(edit.set)) {
    forgetPending(container, name);
    const stored = storedValue(name, value);
    if (!running || configOption(name)?.live) container.values[name] = stored;
    else if (container.values[name] !== stored) container.pending[name] = stored;
  }
}

/** Makes the pending changes the present ones, as a start does. */
export function applyPending(container: Container): boolean {
  const { pending, pendingDelete, values } = container;
  const changes = Object.keys(pending).length + pendingDelete.length;
  Object.assign(values, pending);
  for (const name of pendingDelete) delete values[name];
  container.pending = {};
  container.pendingDelete = [];
  return changes > 0;
}

function refuseReadOnly(name: string, container: Container, edit: ConfigEdit): void {
  const same = name in edit.set && storedValue(name, edit.set[name] ?? "") === container.values[name];
  if (configOption(name)?.readOnly && !same) throw ApiError.died(`unable to modify read-only option: '${name}'`);
  if ((name === "rootfs" || /^(?:mp|dev|unused)\d+$/.test(name) || name === "template") && !same) {
    throw ApiError.died(`unable to modify '${name}': this Proxmox has no disks but the root disk`);
  }
}

function forgetPending(container: Container, name: string): void {
  delete container.pending[name];
  container.pendingDelete = container.pendingDelete.filter((one) => one !== name);
}

/** A value as it stands in the configuration file. */
export function storedValue(name: string, value: ParameterValue): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  if (name === "tags") return normaliseTags(String(value));
  if (name === "description") return String(value).replace(/\n$/, "");
  return /^net\d+$/.test(name) ? normaliseCard(String(value)) : String(value);
}

/** Lower case, sorted, each once. No tag at all is kept as a blank, which is what PVE reads back. */
function normaliseTags(text: string): string {
  const tags = [...new Set(splitList(text.toLowerCase()))].sort();
  return tags.length > 0 ? tags.join(";") : " ";
}
