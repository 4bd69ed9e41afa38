import Type, { type Static } from "typebox";
import { failureSchema } from "../errors.ts";
import { idSchema } from "../names.ts";
import { orphanSchema } from "./adoption.ts";
import { doctorCheckSchema } from "./doctor.ts";
import { eventsQuerySchema } from "./operations.ts";
import { nullable, pageOf, pageQuerySchema, route, strictObject } from "./route.ts";

export const nodeSchema = Type.Object({
  name: Type.String(),
  online: Type.Boolean(),
  /** Its HA manager keeps new work off it: no sandbox is made there. */
  maintenance: Type.Boolean(),
  /** Why no sandbox of the usual size would be made on it now, a clause with the numbers; null: one would. */
  avoided: nullable(
    Type.Object({
      kind: Type.Enum(["offline", "maintenance", "template", "memory", "storage"]),
      reason: Type.String(),
    }),
  ),
  /** Load of the processors, from 0 to 1. */
  cpu: nullable(Type.Number()),
  cores: nullable(Type.Integer()),
  memoryBytes: nullable(Type.Integer()),
  memoryUsedBytes: nullable(Type.Integer()),
  /** What sandboxes that are to run on it may use and do not use yet. */
  memoryPromisedBytes: nullable(Type.Integer()),
  /** Those that may hold sandboxes' disks, as far as the token may see them. */
  storages: Type.Array(
    Type.Object({
      name: Type.String(),
      /** `zfspool`, `lvmthin`, `dir`, …: on some a sandbox shares its template's disk, on others it is a copy. */
      type: nullable(Type.String()),
      shared: Type.Boolean(),
      totalBytes: nullable(Type.Integer()),
      /** Without what copies on their way will take. */
      freeBytes: nullable(Type.Integer()),
    }),
  ),
  /** The template on it that sandboxes are cloned from, if there is one; others may reach it by shared storage. */
  templates: Type.Array(Type.Object({ vmid: Type.Integer(), version: nullable(Type.String()) })),
  uptimeSeconds: nullable(Type.Integer()),
  /** Sandboxes of Berth's on it. */
  sandboxes: Type.Integer(),
});
export type Node = Static<typeof nodeSchema>;

/** A page of hosts, with what the doctor finds: each privilege of the token in use, the certificate, and so on. */
export const nodePageSchema = Type.Object({
  ...pageOf(nodeSchema).properties,
  /** As `GET /doctor` has them, at most some seconds old; empty where they were not asked for. */
  checks: Type.Array(doctorCheckSchema),
});

export const listNodes = route({
  method: "GET",
  path: "/nodes",
  summary: "The Proxmox hosts, and each thing that Berth needs of them: whether it is there, and what mends it",
  tag: "cluster",
  access: "user",
  query: strictObject({
    ...pageQuerySchema.properties,
    /** False: the hosts alone, which is quicker. */
    checks: Type.Optional(Type.Boolean({ default: true })),
  }),
  status: 200,
  result: nodePageSchema,
});

/** What `/readyz` says: 200 when all of it is well, 503 otherwise. */
export const readinessSchema = Type.Object({
  ready: Type.Boolean(),
  version: Type.String(),
  /** The controller that does the work; a second one on the same database stands by. */
  role: Type.Enum(["active", "standby"]),
  checks: Type.Record(Type.String(), Type.Object({ ok: Type.Boolean(), error: nullable(failureSchema) })),
});
export type Readiness = Static<typeof readinessSchema>;

/**
 * The events of `GET /events`, by name: `sandbox`, `operation`, `terminal` carry the thing itself, `deleted` what is gone,
 * `agent_update` how another version of the agent's programs fares in a sandbox: one that failed was rolled back,
 * `orphan` a container of the fleet's that began to belong to no sandbox, or no longer is such a one: once each.
 */
export const deletedEventSchema = Type.Object({
  kind: Type.Enum(["sandbox", "terminal"]),
  id: idSchema,
});

export const agentUpdateEventSchema = Type.Object({
  sandboxId: idSchema,
  state: Type.Enum(["updating", "updated", "failed"]),
  version: Type.String(),
});
export type AgentUpdate = Static<typeof agentUpdateEventSchema>;

export const orphanEventSchema = Type.Object({
  state: Type.Enum(["appeared", "vanished"]),
  /** As it was when it was seen last. */
  orphan: orphanSchema,
});
export type OrphanEvent = Static<typeof orphanEventSchema>;

export const fleetEvents = route({
  method: "GET",
  path: "/events",
  summary: "Facts of your fleet as server-sent events, resumable by Last-Event-ID",
  tag: "operations",
  access: "user",
  query: eventsQuerySchema,
  status: 200,
  stream: "sse",
});
