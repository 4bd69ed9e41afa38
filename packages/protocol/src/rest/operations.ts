import Type, { type Static } from "typebox";
import { failureSchema } from "../errors.ts";
import { idSchema } from "../names.ts";
import { instantSchema, nullable, route, strictObject } from "./route.ts";

export const operationKindSchema = Type.Enum([
  "create",
  "start",
  "stop",
  "restart",
  "sleep",
  "wake",
  "destroy",
  "change",
  "snapshot",
  "delete_snapshot",
  "rollback",
  "fork",
  "adopt",
  "template_build",
  "sync",
  "git_push",
  "git_fetch",
  "git_worktree",
]);
/** What people want of a sandbox as a whole. */
export type PowerOperationKind = "start" | "stop" | "restart" | "sleep" | "wake" | "destroy";
/** Work on the disk of one sandbox. */
export type DiskOperationKind = "snapshot" | "delete_snapshot" | "rollback";
/** Work on one sandbox. */
export type SandboxOperationKind = "create" | "fork" | "adopt" | "change" | PowerOperationKind | DiskOperationKind;
export type OperationKind = Static<typeof operationKindSchema>;

/** The named steps of each kind of operation, in order. */
export const operationSteps = {
  create: ["reserve", "clone", "configure", "start", "address", "bootstrap", "agent", "workspace", "ready"],
  start: ["start", "address", "bootstrap", "agent", "workspace", "ready"],
  stop: ["stop"],
  restart: ["stop", "start", "address", "bootstrap", "agent", "workspace", "ready"],
  sleep: ["ask", "stop"],
  wake: ["start", "address", "bootstrap", "agent", "workspace", "ready"],
  destroy: ["keep", "stop", "delete", "forget"],
  change: ["change"],
  snapshot: ["snapshot"],
  delete_snapshot: ["delete_snapshot"],
  rollback: ["rollback", "change", "start", "address", "bootstrap", "agent", "workspace", "ready"],
  /** Of the new sandbox: `snapshot` and `release` are about the one that it is a copy of. */
  fork: [
    "reserve",
    "snapshot",
    "clone",
    "release",
    "configure",
    "start",
    "address",
    "bootstrap",
    "agent",
    "workspace",
    "ready",
  ],
  adopt: ["start", "address", "bootstrap", "agent", "workspace", "ready"],
  sync: ["compare", "transfer"],
  git_push: ["take", "push", "share"],
  git_fetch: ["fetch", "give", "take", "share"],
  git_worktree: ["take", "share"],
  template_build: [
    "debian",
    "reserve",
    "create",
    "start",
    "address",
    "connect",
    "send",
    "provision",
    "prove",
    "convert",
    "adopt",
  ],
} as const satisfies Record<OperationKind, readonly string[]>;
export type StepName = (typeof operationSteps)[OperationKind][number];

export const stepSchema = Type.Object({
  name: Type.String(),
  state: Type.Enum(["pending", "running", "succeeded", "failed", "skipped"]),
  /** From 0 to 1; null where it is not known. */
  progress: nullable(Type.Number({ minimum: 0, maximum: 1 })),
  /** What it is doing or waiting for, for people. */
  detail: nullable(Type.String()),
  startedAt: nullable(instantSchema),
  finishedAt: nullable(instantSchema),
});
export type Step = Static<typeof stepSchema>;

export const operationSchema = Type.Object({
  id: idSchema,
  kind: operationKindSchema,
  /** Null where the work is not on a sandbox. */
  sandboxId: nullable(idSchema),
  sandboxName: nullable(Type.String()),
  state: Type.Enum(["queued", "running", "succeeded", "failed", "cancelled"]),
  steps: Type.Array(stepSchema),
  error: nullable(failureSchema),
  /**
   * What came of one that has succeeded, in the form that its kind has: `pushResultSchema`, `fetchResultSchema`,
   * `worktreeResultSchema`; null for all others.
   */
  result: nullable(Type.Record(Type.String(), Type.Unknown())),
  createdAt: instantSchema,
  finishedAt: nullable(instantSchema),
});
export type Operation = Static<typeof operationSchema>;

/** The events of `GET /operations/{id}/events`, by name: their data is JSON. `done` ends the stream. */
export const operationEventSchemas = {
  step: stepSchema,
  log: Type.Object({
    step: Type.String(),
    /** Whose words they are. */
    source: Type.Enum(["berth", "proxmox", "container"]),
    text: Type.String(),
    at: instantSchema,
  }),
  done: operationSchema,
} as const;
export type OperationLog = Static<(typeof operationEventSchemas)["log"]>;

const byId = strictObject({ id: idSchema });

export const getOperation = route({
  method: "GET",
  path: "/operations/:id",
  summary: "A piece of work, with its steps",
  tag: "operations",
  access: "user",
  params: byId,
  status: 200,
  result: operationSchema,
});

export const cancelOperation = route({
  method: "POST",
  path: "/operations/:id/cancel",
  summary: "Stop a piece of work that has not ended; a create or a build that is cancelled leaves nothing behind",
  tag: "operations",
  access: "user",
  params: byId,
  status: 202,
  result: operationSchema,
});

/** Of a stream of events. */
export const eventsQuerySchema = strictObject({
  /** False: the stream ends with what is there now, instead of going on with what comes. */
  follow: Type.Optional(Type.Boolean()),
});

export const operationEvents = route({
  method: "GET",
  path: "/operations/:id/events",
  summary: "Steps and logs of a piece of work as server-sent events, resumable by Last-Event-ID",
  tag: "operations",
  access: "user",
  params: byId,
  query: eventsQuerySchema,
  status: 200,
  stream: "sse",
});
