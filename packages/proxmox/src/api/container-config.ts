import Type, { type Static } from "typebox";
import { type AnsweredCall, answerOf, Flag, flagOf, NumberLike, optionalNumber } from "../answer.ts";
import { proxmoxError } from "../error.ts";
import { type Properties, parsePropertyString } from "../property-string.ts";
import { joinTags, splitTags } from "./tags.ts";

const ConfigSchema = Type.Object({
  digest: Type.String({ minLength: 1 }),
  hostname: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  tags: Type.Optional(Type.String()),
  cores: Type.Optional(NumberLike),
  cpulimit: Type.Optional(NumberLike),
  memory: Type.Optional(NumberLike),
  swap: Type.Optional(NumberLike),
  rootfs: Type.Optional(Type.String()),
  features: Type.Optional(Type.String()),
  nameserver: Type.Optional(Type.String()),
  searchdomain: Type.Optional(Type.String()),
  ostype: Type.Optional(Type.String()),
  arch: Type.Optional(Type.String()),
  lock: Type.Optional(Type.String()),
  onboot: Type.Optional(Flag),
  protection: Type.Optional(Flag),
  template: Type.Optional(Flag),
  unprivileged: Type.Optional(Flag),
});

/** A container's configuration. What is not set is undefined, false or empty. */
export interface ContainerConfig {
  /** Names this version of the configuration; see `ContainerConfigChange.digest`. */
  readonly digest: string;
  readonly hostname: string | undefined;
  /** Without the newline that PVE adds at its end. */
  readonly description: string | undefined;
  /** Lower-case and sorted, as Proxmox keeps them. */
  readonly tags: readonly string[];
  /** Undefined: all of the node's. */
  readonly cores: number | undefined;
  readonly cpuLimit: number | undefined;
  readonly memoryMiB: number | undefined;
  readonly swapMiB: number | undefined;
  /** The default key is named `volume`; undefined while the container is being cloned. */
  readonly rootfs: Properties | undefined;
  /** By index: `net0` is at 0. */
  readonly nets: ReadonlyMap<number, Properties>;
  readonly features: Properties;
  readonly nameserver: string | undefined;
  readonly searchDomain: string | undefined;
  readonly osType: string | undefined;
  readonly arch: string | undefined;
  /** `create`, `disk`, `snapshot`, …; undefined when nothing holds it. */
  readonly lock: string | undefined;
  readonly startsAtBoot: boolean;
  readonly protection: boolean;
  readonly template: boolean;
  readonly unprivileged: boolean;
  /** Everything as Proxmox wrote it. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Changes of a configuration; what is undefined stays. */
export interface ContainerConfigChange {
  /** Refuse (`modified`) unless the configuration is still the one that had this digest. */
  readonly digest?: string | undefined;
  readonly hostname?: string | undefined;
  readonly description?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly cores?: number | undefined;
  readonly cpuLimit?: number | undefined;
  readonly memoryMiB?: number | undefined;
  readonly swapMiB?: number | undefined;
  /** A property string, such as `name=eth0,bridge=vmbr0,ip=dhcp`; see `formatPropertyString`. */
  readonly net0?: string | undefined;
  readonly features?: string | undefined;
  readonly nameserver?: string | undefined;
  readonly searchDomain?: string | undefined;
  readonly startsAtBoot?: boolean | undefined;
  readonly protection?: boolean | undefined;
  /** Names of options, as Proxmox writes them, to remove. */
  readonly delete?: readonly string[] | undefined;
  /** Names of options whose pending value is dropped; `delete` does not do that. */
  readonly revert?: readonly string[] | undefined;
}

const readRaw = answerOf(Type.Record(Type.String(), Type.Unknown()));
const readFields = answerOf(ConfigSchema);

/** Reads a configuration; an AnswerReader. */
export function readContainerConfig(data: unknown, call: AnsweredCall): ContainerConfig {
  const fields = readFields(data, call);
  const raw = readRaw(data, call);
  return {
    ...textsOf(fields),
    cores: optionalNumber(fields.cores),
    cpuLimit: optionalNumber(fields.cpulimit),
    memoryMiB: optionalNumber(fields.memory),
    swapMiB: optionalNumber(fields.swap),
    ...propertiesOf(fields, raw, call),
    startsAtBoot: flagOf(fields.onboot),
    protection: flagOf(fields.protection),
    template: flagOf(fields.template),
    unprivileged: flagOf(fields.unprivileged),
    raw,
  };
}

function textsOf(fields: Static<typeof ConfigSchema>) {
  return {
    digest: fields.digest,
    hostname: fields.hostname,
    description: fields.description?.replace(/\n$/, ""),
    tags: splitTags(fields.tags),
    nameserver: fields.nameserver,
    searchDomain: fields.searchdomain,
    osType: fields.ostype,
    arch: fields.arch,
    lock: fields.lock,
  };
}

function propertiesOf(
  fields: Static<typeof ConfigSchema>,
  raw: Readonly<Record<string, unknown>>,
  call: AnsweredCall,
): Pick<ContainerConfig, "rootfs" | "nets" | "features"> {
  try {
    return {
      rootfs: fields.rootfs === undefined ? undefined : parsePropertyString(fields.rootfs, "volume"),
      nets: netsOf(raw),
      features: parsePropertyString(fields.features ?? ""),
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw proxmoxError({ kind: "protocol", detail: error.message }, { ...call, status: 200, cause: error });
  }
}

function netsOf(raw: Readonly<Record<string, unknown>>): Map<number, Properties> {
  const nets = new Map<number, Properties>();
  for (const [key, value] of Object.entries(raw)) {
    const index = /^net(\d+)$/.exec(key)?.[1];
    if (index !== undefined && typeof value === "string") nets.set(Number(index), parsePropertyString(value));
  }
  return nets;
}

/** The parameters of a change, undefined ones among them; the transport leaves those out. */
export function configParameters(change: ContainerConfigChange) {
  return {
    hostname: change.hostname,
    description: change.description,
    tags: change.tags && joinTags(change.tags),
    cores: change.cores,
    cpulimit: change.cpuLimit,
    memory: change.memoryMiB,
    swap: change.swapMiB,
    net0: change.net0,
    features: change.features,
    nameserver: change.nameserver,
    searchdomain: change.searchDomain,
    onboot: change.startsAtBoot,
    protection: change.protection,
    delete: change.delete && change.delete.length > 0 ? change.delete.join(",") : undefined,
    revert: change.revert && change.revert.length > 0 ? change.revert.join(",") : undefined,
  };
}
