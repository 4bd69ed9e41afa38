import { createHash } from "node:crypto";
import Type, { type Static } from "typebox";
import type { RawLxcKey } from "../backend/backend.ts";
import { ApiError } from "../http/api-error.ts";
import { configOption } from "./config-options.ts";

const valuesSchema = Type.Record(Type.String(), Type.String());
/** Options and their values as they stand in a configuration file. */
export type ConfigValues = Record<string, string>;

const snapshotSchema = Type.Object({
  values: valuesSchema,
  /** Unix time in seconds. */
  snaptime: Type.Integer(),
  description: Type.Optional(Type.String()),
  parent: Type.Optional(Type.String()),
  /** While a task makes or deletes it; what is left of a task that was killed. */
  snapstate: Type.Optional(Type.Enum(["prepare", "delete"])),
});
export type Snapshot = Static<typeof snapshotSchema>;

const ruleSchema = Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()]));
/** A rule of a container's firewall. */
export type FirewallRule = Static<typeof ruleSchema>;

/** What is kept of a container on disk. */
export const containerSchema = Type.Object({
  vmid: Type.Integer(),
  /** The host that it is on; of a folder of old, the first one. */
  node: Type.Optional(Type.String()),
  /** Its disk is its template's but for what it has changed. */
  linked: Type.Optional(Type.Boolean()),
  values: valuesSchema,
  /** Changes that wait for the next start. */
  pending: valuesSchema,
  /** Options that the next start takes away. */
  pendingDelete: Type.Array(Type.String()),
  /** Raw keys, in their order. */
  lxc: Type.Array(Type.Tuple([Type.String(), Type.String()])),
  /** The snapshot that the present descends from. */
  parent: Type.Optional(Type.String()),
  snapshots: Type.Record(Type.String(), snapshotSchema),
  firewall: Type.Object({ options: ruleSchema, rules: Type.Array(ruleSchema) }),
});
export type Container = Static<typeof containerSchema>;

/** A container without anything pending. */
export function newContainer(vmid: number, values: ConfigValues, lxc: readonly RawLxcKey[]): Container {
  const raw = lxc.map(([key, value]): RawLxcKey => [key, value]);
  return {
    vmid,
    values,
    pending: {},
    pendingDelete: [],
    lxc: raw,
    snapshots: {},
    firewall: { options: {}, rules: [] },
  };
}

/** SHA-1 over everything in the configuration: equal contents have equal digests. */
export function digestOf(container: Container): string {
  const { values, pending, pendingDelete, lxc, parent, snapshots } = container;
  return sha1([sorted(values), sorted(pending), [...pendingDelete].sort(), lxc, parent ?? null, snapshots]);
}

/** SHA-1 over the firewall's configuration. */
export function firewallDigest(container: Container): string {
  return sha1(container.firewall);
}

function sha1(value: unknown): string {
  return createHash("sha1").update(JSON.stringify(value)).digest("hex");
}

const sorted = (values: ConfigValues) => Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));

/** Throws what PVE says when a caller's digest is not the present one. */
export function requireDigest(present: string, given: string | undefined): void {
  if (given !== undefined && given !== "" && given !== present) {
    throw ApiError.died("detected modified configuration - file changed by other user? Try again.");
  }
}

export function requireUnlocked(container: Container): void {
  if (container.values.lock !== undefined) throw ApiError.died(`CT is locked (${container.values.lock})`);
}

export function isTemplate(container: Container): boolean {
  return container.values.template === "1";
}

/** Values as the API answers them: numbers and booleans as numbers, the description with its final newline. */
export function typedValues(values: ConfigValues): Record<string, string | number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typedValue(name, value)]));
}

export function typedValue(name: string, value: string): string | number {
  if (name === "description") return `${value}\n`;
  const type = configOption(name)?.parameter.type;
  return type === "integer" || type === "boolean" ? Number(value) : value;
}

/** The values with what is pending merged in: how the container will be after its next start. */
export function futureValues(container: Container): ConfigValues {
  const values: ConfigValues = { ...container.values, ...container.pending };
  for (const name of container.pendingDelete) delete values[name];
  return values;
}
