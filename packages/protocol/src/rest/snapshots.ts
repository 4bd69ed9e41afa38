import Type, { type Static } from "typebox";
import { nameSchema, referenceSchema } from "../names.ts";
import { operationSchema } from "./operations.ts";
import { instantSchema, nullable, route, strictObject } from "./route.ts";
import { sandboxSchema } from "./sandboxes.ts";

/** As Proxmox has them: a letter, then letters, digits, `_` and `-`; two characters at least, forty at most. */
export const snapshotNameSchema = Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_-]{1,39}$" });

/** Begins the names of snapshots that Berth takes for itself, and removes again. */
export const ownSnapshotPrefix = "berth-";

/** Names that mean something else: to Proxmox, or to Berth. */
export function isReservedSnapshotName(name: string): boolean {
  return name === "current" || name === "vzdump" || name.toLowerCase().startsWith(ownSnapshotPrefix);
}

export const snapshotSchema = Type.Object({
  name: Type.String(),
  description: Type.String(),
  takenAt: nullable(instantSchema),
  /** The snapshot that it was taken after; null: the first. */
  parent: nullable(Type.String()),
  /** Whether the sandbox ran at that time; null: it was not taken by Berth. */
  running: nullable(Type.Boolean()),
  /** What the sandbox is now descends from this one: it was the last to be taken, or gone back to. */
  current: Type.Boolean(),
});
export type Snapshot = Static<typeof snapshotSchema>;

const reference = strictObject({ id: referenceSchema });
const named = strictObject({ id: referenceSchema, name: Type.String({ minLength: 1, maxLength: 128 }) });
const operationOnly = Type.Object({ operation: operationSchema });

export const listSnapshots = route({
  method: "GET",
  path: "/sandboxes/:id/snapshots",
  summary: "A sandbox's snapshots, the oldest first",
  tag: "snapshots",
  access: "user",
  params: reference,
  status: 200,
  result: Type.Object({ items: Type.Array(snapshotSchema), nextCursor: Type.Null() }),
});

export const createSnapshot = route({
  method: "POST",
  path: "/sandboxes/:id/snapshots",
  summary: "Take a snapshot of a sandbox's disk; it may run meanwhile",
  tag: "snapshots",
  access: "user",
  params: reference,
  idempotent: true,
  body: strictObject({
    name: snapshotNameSchema,
    description: Type.Optional(
      Type.String({ maxLength: 1_000, pattern: "^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f]*$" }),
    ),
  }),
  status: 202,
  result: operationOnly,
});

export const rollbackSnapshot = route({
  method: "POST",
  path: "/sandboxes/:id/snapshots/:name/rollback",
  summary: "Go back to a snapshot: what came after it is lost; a sandbox that runs is stopped, and started again",
  tag: "snapshots",
  access: "user",
  params: named,
  idempotent: true,
  status: 202,
  result: operationOnly,
});

export const deleteSnapshot = route({
  method: "DELETE",
  path: "/sandboxes/:id/snapshots/:name",
  summary: "Delete a snapshot",
  tag: "snapshots",
  access: "user",
  params: named,
  status: 202,
  result: operationOnly,
});

export const forkSandbox = route({
  method: "POST",
  path: "/sandboxes/:id/fork",
  summary:
    "Make a sandbox that is a copy of this one, or of a snapshot of it, with its Claude conversations and an identity of its own",
  tag: "snapshots",
  access: "user",
  params: reference,
  idempotent: true,
  body: strictObject({
    name: Type.Optional(nameSchema),
    /** Unset: as it is now. */
    snapshot: Type.Optional(snapshotNameSchema),
    /** False: made, and left stopped. */
    start: Type.Optional(Type.Boolean()),
  }),
  status: 202,
  result: Type.Object({ sandbox: sandboxSchema, operation: operationSchema }),
});
