import Type, { type Static } from "typebox";
import { answerOf, Flag, flagOf, NumberLike, numberOf, optionalNumber } from "../answer.ts";
import type { CallOptions } from "../transport-options.ts";
import type { Connection } from "./connection.ts";
import { type ClusterRoom, readRoom } from "./room.ts";
import { splitTags } from "./tags.ts";

const VersionSchema = Type.Object({ version: Type.String(), release: Type.String() });

/** Such as `{version: "8.4.21", release: "8.4"}`. */
export type ProxmoxVersion = Static<typeof VersionSchema>;

const NodeSchema = Type.Object({
  node: Type.String({ minLength: 1 }),
  status: Type.String(),
  cpu: Type.Optional(NumberLike),
  maxcpu: Type.Optional(NumberLike),
  mem: Type.Optional(NumberLike),
  maxmem: Type.Optional(NumberLike),
  disk: Type.Optional(NumberLike),
  maxdisk: Type.Optional(NumberLike),
  uptime: Type.Optional(NumberLike),
});

/** A host of the cluster. What the token may not see (Sys.Audit), or an offline node does not tell, is undefined. */
export interface ProxmoxNode {
  readonly node: string;
  readonly online: boolean;
  /** Share of all CPUs in use, 0 to 1. */
  readonly cpu: number | undefined;
  readonly cores: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly maxMemoryBytes: number | undefined;
  readonly rootDiskBytes: number | undefined;
  readonly maxRootDiskBytes: number | undefined;
  readonly uptimeSeconds: number | undefined;
}

const ResourceSchema = Type.Object({
  type: Type.String(),
  node: Type.String({ minLength: 1 }),
  vmid: NumberLike,
  status: Type.String(),
  name: Type.Optional(Type.String()),
  template: Type.Optional(Flag),
  pool: Type.Optional(Type.String()),
  tags: Type.Optional(Type.String()),
  lock: Type.Optional(Type.String()),
  cpu: Type.Optional(NumberLike),
  maxcpu: Type.Optional(NumberLike),
  mem: Type.Optional(NumberLike),
  maxmem: Type.Optional(NumberLike),
  disk: Type.Optional(NumberLike),
  maxdisk: Type.Optional(NumberLike),
  uptime: Type.Optional(NumberLike),
});

/** A container somewhere in the cluster. The list is filtered silently to what the token may see (VM.Audit). */
export interface ContainerResource {
  readonly vmid: number;
  readonly node: string;
  /** `unknown` while it is being cloned, or its node does not answer. */
  readonly status: "running" | "stopped" | "unknown";
  /** The hostname; undefined while unknown. */
  readonly name: string | undefined;
  readonly template: boolean;
  readonly pool: string | undefined;
  /** Lower-case and sorted, as Proxmox keeps them. */
  readonly tags: readonly string[];
  readonly lock: string | undefined;
  /** Share of its CPUs in use, 0 to 1. */
  readonly cpu: number | undefined;
  readonly cores: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly maxMemoryBytes: number | undefined;
  readonly diskBytes: number | undefined;
  readonly maxDiskBytes: number | undefined;
  readonly uptimeSeconds: number | undefined;
}

const PlaceSchema = Type.Object({
  type: Type.String(),
  node: Type.String({ minLength: 1 }),
  vmid: NumberLike,
  status: Type.String(),
  maxcpu: Type.Optional(NumberLike),
  maxmem: Type.Optional(NumberLike),
});

/** Where a container is, whether it runs, and its size: what is worth being asked for all of them again and again. */
export type ContainerPlace = Pick<ContainerResource, "vmid" | "node" | "status" | "cores" | "maxMemoryBytes">;

const PoolSchema = Type.Object({ poolid: Type.String(), comment: Type.Optional(Type.String()) });

/** A pool of guests and storages. */
export type ProxmoxPool = Static<typeof PoolSchema>;

/** Path to privilege to whether it also holds below (1) or at that path only (0). */
export type Permissions = Readonly<Record<string, Readonly<Record<string, number>>>>;

const readVersion = answerOf(VersionSchema);
const readNodes = answerOf(Type.Array(NodeSchema));
const readResources = answerOf(Type.Array(Type.Object({ type: Type.String() })));
const readResource = answerOf(ResourceSchema);
const readPlace = answerOf(PlaceSchema);
const readNextId = answerOf(NumberLike);
const readPools = answerOf(Type.Array(PoolSchema));
const readPermissions = answerOf(Type.Record(Type.String(), Type.Record(Type.String(), NumberLike)));

/** What the cluster as a whole tells. */
export class ClusterApi {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The server's version. */
  version(call?: CallOptions): Promise<ProxmoxVersion> {
    return this.#connection.ask(call, readVersion, (api) => api.version.$get());
  }

  /** The hosts, online or not. */
  async nodes(call?: CallOptions): Promise<ProxmoxNode[]> {
    const nodes = await this.#connection.ask(call, readNodes, (api) => api.nodes.$get());
    return nodes.map(nodeOf);
  }

  /** Every container that the token may see, templates included, on all nodes. */
  async containers(call?: CallOptions): Promise<ContainerResource[]> {
    return this.#connection.ask(
      call,
      (data, answered) =>
        readResources(data, answered)
          .filter((resource) => resource.type === "lxc")
          .map((resource) => resourceOf(readResource(resource, answered))),
      (api) => api.cluster.resources.$get({ type: "vm" }),
    );
  }

  /** The same containers, of each only where it is and whether it runs: a list of thousands is kept in a fraction of the memory. */
  async places(call?: CallOptions): Promise<ContainerPlace[]> {
    return this.#connection.ask(
      call,
      (data, answered) =>
        readResources(data, answered)
          .filter((resource) => resource.type === "lxc")
          .map((resource) => placeOf(readPlace(resource, answered))),
      (api) => api.cluster.resources.$get({ type: "vm" }),
    );
  }

  /** How much room there is on nodes and storages, and what containers use. */
  room(call?: CallOptions): Promise<ClusterRoom> {
    return this.#connection.ask(call, readRoom, (api) => api.cluster.resources.$get({}));
  }

  /** An id that was free a moment ago. **Reserves nothing**: the clone call itself does. */
  async nextId(call?: CallOptions): Promise<number> {
    return numberOf(await this.#connection.ask(call, readNextId, (api) => api.cluster.nextid.$get()));
  }

  /** The pools that the token may see. */
  pools(call?: CallOptions): Promise<ProxmoxPool[]> {
    return this.#connection.ask(call, readPools, (api) => api.pools.$get());
  }

  /** The caller's own privileges, at one path or wherever it has any. */
  async permissions(path?: string, call?: CallOptions): Promise<Permissions> {
    const raw = await this.#connection.ask(call, readPermissions, (api) =>
      api.access.permissions.$get(path === undefined ? {} : { path }),
    );
    return Object.fromEntries(
      Object.entries(raw).map(([at, privileges]) => [
        at,
        Object.fromEntries(Object.entries(privileges).map(([name, deep]) => [name, numberOf(deep)])),
      ]),
    );
  }
}

function nodeOf(raw: Static<typeof NodeSchema>): ProxmoxNode {
  return {
    node: raw.node,
    online: raw.status === "online",
    cpu: optionalNumber(raw.cpu),
    cores: optionalNumber(raw.maxcpu),
    memoryBytes: optionalNumber(raw.mem),
    maxMemoryBytes: optionalNumber(raw.maxmem),
    rootDiskBytes: optionalNumber(raw.disk),
    maxRootDiskBytes: optionalNumber(raw.maxdisk),
    uptimeSeconds: optionalNumber(raw.uptime),
  };
}

function placeOf(raw: Static<typeof PlaceSchema>): ContainerPlace {
  const status = raw.status === "running" || raw.status === "stopped" ? raw.status : "unknown";
  const size = { cores: optionalNumber(raw.maxcpu), maxMemoryBytes: optionalNumber(raw.maxmem) };
  return { vmid: numberOf(raw.vmid), node: raw.node, status, ...size };
}

function resourceOf(raw: Static<typeof ResourceSchema>): ContainerResource {
  return {
    ...placeOf(raw),
    name: raw.name,
    template: flagOf(raw.template),
    pool: raw.pool,
    tags: splitTags(raw.tags),
    lock: raw.lock,
    cpu: optionalNumber(raw.cpu),
    memoryBytes: optionalNumber(raw.mem),
    diskBytes: optionalNumber(raw.disk),
    maxDiskBytes: optionalNumber(raw.maxdisk),
    uptimeSeconds: optionalNumber(raw.uptime),
  };
}
