import Type from "typebox";
import { type AnsweredCall, answerOf, Flag, flagOf, NumberLike, numberOf, optionalNumber } from "../answer.ts";

/** A host, as the cluster's list shows it. What the token may not see (Sys.Audit), or nobody knows, is undefined. */
export interface NodeRoom {
  readonly node: string;
  readonly online: boolean;
  /** Its HA manager keeps new work off it (PVE 8). */
  readonly maintenance: boolean;
  /** Share of all CPUs in use, 0 to 1. */
  readonly cpu: number | undefined;
  readonly cores: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly maxMemoryBytes: number | undefined;
  readonly uptimeSeconds: number | undefined;
}

/** A storage, as one host sees it. */
export interface StorageRoom {
  readonly node: string;
  readonly storage: string;
  /** `dir`, `zfspool`, `lvmthin`, …; undefined before PVE 6. */
  readonly type: string | undefined;
  readonly shared: boolean;
  readonly available: boolean;
  /** `rootdir`, `vztmpl`, … */
  readonly content: readonly string[];
  readonly totalBytes: number | undefined;
  readonly usedBytes: number | undefined;
}

/** What a container uses. */
export interface ContainerUse {
  readonly vmid: number;
  readonly node: string;
  readonly memoryBytes: number;
}

/** How much room the cluster has, as far as the token may see it. The figures may be some ten seconds old. */
export interface ClusterRoom {
  readonly nodes: readonly NodeRoom[];
  readonly storages: readonly StorageRoom[];
  readonly containers: readonly ContainerUse[];
}

const readList = answerOf(Type.Array(Type.Object({ type: Type.String() })));
const readNode = answerOf(
  Type.Object({
    node: Type.String({ minLength: 1 }),
    status: Type.String(),
    hastate: Type.Optional(Type.String()),
    cpu: Type.Optional(NumberLike),
    maxcpu: Type.Optional(NumberLike),
    mem: Type.Optional(NumberLike),
    maxmem: Type.Optional(NumberLike),
    uptime: Type.Optional(NumberLike),
  }),
);
const readStorage = answerOf(
  Type.Object({
    node: Type.String({ minLength: 1 }),
    storage: Type.String({ minLength: 1 }),
    status: Type.Optional(Type.String()),
    plugintype: Type.Optional(Type.String()),
    shared: Type.Optional(Flag),
    content: Type.Optional(Type.String()),
    disk: Type.Optional(NumberLike),
    maxdisk: Type.Optional(NumberLike),
  }),
);
const readContainer = answerOf(
  Type.Object({ vmid: NumberLike, node: Type.String({ minLength: 1 }), mem: Type.Optional(NumberLike) }),
);

/** Reads `GET /cluster/resources`: one call, which asks no host and so hangs on none. */
export function readRoom(data: unknown, call: AnsweredCall): ClusterRoom {
  const list = readList(data, call);
  const of = (type: string) => list.filter((resource) => resource.type === type);
  return {
    nodes: of("node").map((raw) => nodeOf(readNode(raw, call))),
    storages: of("storage").map((raw) => storageOf(readStorage(raw, call))),
    containers: of("lxc").map((raw) => {
      const { vmid, node, mem } = readContainer(raw, call);
      return { vmid: numberOf(vmid), node, memoryBytes: optionalNumber(mem) ?? 0 };
    }),
  };
}

function nodeOf(raw: ReturnType<typeof readNode>): NodeRoom {
  return {
    node: raw.node,
    online: raw.status === "online",
    maintenance: raw.hastate === "maintenance",
    cpu: optionalNumber(raw.cpu),
    cores: optionalNumber(raw.maxcpu),
    memoryBytes: optionalNumber(raw.mem),
    maxMemoryBytes: optionalNumber(raw.maxmem),
    uptimeSeconds: optionalNumber(raw.uptime),
  };
}

function storageOf(raw: ReturnType<typeof readStorage>): StorageRoom {
  const total = optionalNumber(raw.maxdisk);
  return {
    node: raw.node,
    storage: raw.storage,
    type: raw.plugintype,
    shared: flagOf(raw.shared),
    available: raw.status === undefined || raw.status === "available",
    content: (raw.content ?? "").split(",").filter((kind) => kind !== ""),
    // A storage that was never measured has a size of 0.
    totalBytes: total === 0 ? undefined : total,
    usedBytes: total === 0 ? undefined : optionalNumber(raw.disk),
  };
}
