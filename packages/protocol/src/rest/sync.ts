import Type, { type Static } from "typebox";
import { failureSchema } from "../errors.ts";
import { idSchema, referenceSchema } from "../names.ts";
import { hostFolderSchema } from "./host-folder.ts";
import { operationSchema } from "./operations.ts";
import { instantSchema, nullable, pageOf, pageQuerySchema, route, strictObject } from "./route.ts";

/** `push`: from the folder on the controller's host into the sandbox's workspace; `pull`: back. */
export const syncDirectionSchema = Type.Enum(["push", "pull"]);
export type SyncDirection = Static<typeof syncDirectionSchema>;

const path = Type.String({ maxLength: 4096 });
/** The bytes of a path that is no UTF-8, base64url; what shows it as text has replacement characters then. */
const pathBytes = Type.Optional(Type.String({ maxLength: 8192, pattern: "^[A-Za-z0-9_-]+$" }));

/** One rule as a line of `.gitignore`, for the whole folder. */
const exclude = Type.String({ minLength: 1, maxLength: 1024, pattern: "^[^\\u0000\\r\\n]+$" });

/** What a sync leaves out, and how fast it may be. */
const syncOptions = {
  /** The folder on the controller's host; absent: the one that the workspace was made from, or was synced with last. */
  folder: Type.Optional(hostFolderSchema),
  excludes: Type.Optional(Type.Array(exclude, { maxItems: 200 })),
  /** Leave out what `.gitignore` names; true by default. `.berthignore` counts in any case, and comes after it. */
  gitignore: Type.Optional(Type.Boolean()),
  /** Leave out what can be made again, such as `node_modules`; true by default. */
  defaultExcludes: Type.Optional(Type.Boolean()),
  /** Push repositories (`.git`) too. They are never pulled: what a sandbox puts into one may run on the host. */
  git: Type.Optional(Type.Boolean()),
  /** In KiB a second. */
  bwlimitKiB: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000_000 })),
};

export const syncRequestSchema = strictObject({
  direction: syncDirectionSchema,
  /** Say what would happen, and change nothing. */
  dryRun: Type.Optional(Type.Boolean()),
  /** Delete at the destination what is gone at the source, if it is unchanged there since the last sync. */
  delete: Type.Optional(Type.Boolean()),
  ...syncOptions,
});
export type SyncRequest = Static<typeof syncRequestSchema>;

/**
 * What happens, or would happen, to a path at the destination. `stays`: only the destination has changed. `conflict`:
 * both have. `skipped`: it cannot be taken over, and `reason` says why.
 */
export const syncActionSchema = Type.Enum(["create", "update", "delete", "stays", "conflict", "skipped"]);
export type SyncAction = Static<typeof syncActionSchema>;

/** What a path is on one side; null where there is nothing. */
const syncSide = nullable(
  Type.Object({
    type: Type.Enum(["file", "folder", "link", "other"]),
    bytes: Type.Integer(),
    modifiedAt: instantSchema,
  }),
);

export const syncChangeSchema = Type.Object({
  path,
  pathBytes,
  action: syncActionSchema,
  /** For people, where it is not plain. */
  reason: Type.Optional(Type.String()),
  host: syncSide,
  sandbox: syncSide,
});
export type SyncChange = Static<typeof syncChangeSchema>;

/** How a sync ended, in numbers. */
export const syncResultSchema = Type.Object({
  created: Type.Integer(),
  updated: Type.Integer(),
  deleted: Type.Integer(),
  stayed: Type.Integer(),
  conflicts: Type.Integer(),
  skipped: Type.Integer(),
  /** Of the contents that were sent. */
  bytes: Type.Integer(),
  /** Where what was replaced or deleted is kept: see the list of backups. */
  backup: nullable(Type.String()),
});
export type SyncResult = Static<typeof syncResultSchema>;

export const syncContinuousSchema = Type.Object({
  direction: syncDirectionSchema,
  delete: Type.Boolean(),
  state: Type.Enum(["watching", "syncing", "paused"]),
  /** Why it is paused. */
  error: nullable(failureSchema),
  lastSyncedAt: nullable(instantSchema),
});
export type SyncContinuous = Static<typeof syncContinuousSchema>;

export const syncStatusSchema = Type.Object({
  /** The folder on the controller's host; null: there was none so far. */
  folder: nullable(Type.String()),
  last: nullable(
    Type.Object({
      /** Null: no operation of its own, such as in continuous mode. */
      operationId: nullable(idSchema),
      direction: syncDirectionSchema,
      dryRun: Type.Boolean(),
      /** Null while it runs, and where it failed. */
      result: nullable(syncResultSchema),
      at: instantSchema,
    }),
  ),
  /** Of the last sync that was no dry run. */
  conflicts: Type.Integer(),
  continuous: nullable(syncContinuousSchema),
});
export type SyncStatus = Static<typeof syncStatusSchema>;

export const syncBackupSchema = Type.Object({
  /** Its instant, `20260101T120000Z-000`. */
  id: Type.String(),
  /** Where it is: beside what was replaced. */
  side: Type.Enum(["host", "sandbox"]),
  files: Type.Integer(),
  bytes: Type.Integer(),
});
export type SyncBackup = Static<typeof syncBackupSchema>;

const reference = strictObject({ id: referenceSchema });
const operationOnly = Type.Object({ operation: operationSchema });

export const startSync = route({
  method: "POST",
  path: "/sandboxes/:id/sync",
  summary: "Push a folder of the controller's host into a workspace, or pull it back; nothing is overwritten silently",
  tag: "sync",
  access: "user",
  params: reference,
  idempotent: true,
  body: syncRequestSchema,
  status: 202,
  result: operationOnly,
});

export const getSync = route({
  method: "GET",
  path: "/sandboxes/:id/sync",
  summary: "How the workspace and its folder stand to each other",
  tag: "sync",
  access: "user",
  params: reference,
  status: 200,
  result: syncStatusSchema,
});

export const listSyncChanges = route({
  method: "GET",
  path: "/sandboxes/:id/sync/changes",
  summary: "What a sync did or, as a dry run, would do, path by path; of the last one unless an operation is named",
  tag: "sync",
  access: "user",
  params: reference,
  query: strictObject({
    ...pageQuerySchema.properties,
    operation: Type.Optional(idSchema),
    action: Type.Optional(syncActionSchema),
  }),
  status: 200,
  result: pageOf(syncChangeSchema),
});

export const resolveSync = route({
  method: "POST",
  path: "/sandboxes/:id/sync/resolve",
  summary: "Decide conflicts: take the host's version, the sandbox's, or keep both; the other one goes to a backup",
  tag: "sync",
  access: "user",
  params: reference,
  idempotent: true,
  body: strictObject({
    take: Type.Enum(["host", "sandbox", "both"]),
    paths: Type.Array(strictObject({ path, pathBytes }), { minItems: 1, maxItems: 1000 }),
  }),
  status: 202,
  result: operationOnly,
});

export const putContinuousSync = route({
  method: "PUT",
  path: "/sandboxes/:id/sync/continuous",
  summary: "Keep following the changes of one side until it is told to stop",
  tag: "sync",
  access: "user",
  params: reference,
  body: strictObject({ direction: syncDirectionSchema, delete: Type.Optional(Type.Boolean()), ...syncOptions }),
  status: 200,
  result: syncStatusSchema,
});

export const deleteContinuousSync = route({
  method: "DELETE",
  path: "/sandboxes/:id/sync/continuous",
  summary: "Stop following changes",
  tag: "sync",
  access: "user",
  params: reference,
  status: 200,
  result: syncStatusSchema,
});

export const listSyncBackups = route({
  method: "GET",
  path: "/sandboxes/:id/sync/backups",
  summary: "What syncs have replaced or deleted, and is still kept; the newest first",
  tag: "sync",
  access: "user",
  params: reference,
  status: 200,
  result: Type.Object({ items: Type.Array(syncBackupSchema) }),
});

const backupReference = strictObject({
  id: referenceSchema,
  backup: Type.String({ pattern: "^[0-9]{8}T[0-9]{6}Z-[0-9]{3}$" }),
});
const side = Type.Enum(["host", "sandbox"]);

export const listSyncBackupFiles = route({
  method: "GET",
  path: "/sandboxes/:id/sync/backups/:backup/files",
  summary: "What is in a backup, by the paths where it was",
  tag: "sync",
  access: "user",
  params: backupReference,
  query: strictObject({ side, limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 })) }),
  status: 200,
  result: Type.Object({
    items: Type.Array(Type.Object({ path, pathBytes })),
    /** There are more files than were asked for. */
    truncated: Type.Boolean(),
  }),
});

export const restoreSyncBackup = route({
  method: "POST",
  path: "/sandboxes/:id/sync/backups/:backup/restore",
  summary: "Put a file of a backup back to where it was; what is there now goes to a backup of its own",
  tag: "sync",
  access: "user",
  params: backupReference,
  body: strictObject({ side, path, pathBytes }),
  status: 200,
  result: Type.Object({ path }),
});
