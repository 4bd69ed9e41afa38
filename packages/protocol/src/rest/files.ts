import Type, { type Static } from "typebox";
import { workspaceLimits } from "../link/workspace.ts";
import { referenceSchema } from "../names.ts";
import { nullable, pageOf, route, strictObject } from "./route.ts";

/**
 * A path below the workspace, `/` between its names; empty is the workspace itself. Not absolute, and without `.` and
 * `..`. No link on the way is followed.
 */
export const workspacePathSchema = Type.String({ maxLength: workspaceLimits.pathBytes });
/** The base64url of a path's bytes: the way to what has a name that is not UTF-8. */
export const workspacePathBytesSchema = Type.String({
  pattern: "^[A-Za-z0-9_-]*$",
  maxLength: Math.ceil((workspaceLimits.pathBytes * 4) / 3),
});

/** A path by its letters or by its bytes; with neither it is the workspace. */
export const workspacePathFields = {
  path: Type.Optional(workspacePathSchema),
  pathBytes: Type.Optional(workspacePathBytesSchema),
};

/** A path as it is told: letters for people; and the bytes, where those are not UTF-8. */
export const shownPathFields = { path: Type.String(), pathBytes: Type.Optional(Type.String()) };

const factsFields = {
  /** `other`: a device, a socket, a pipe. */
  type: Type.Enum(["file", "folder", "link", "other"]),
  /** Of a file, in bytes; of others 0. */
  size: Type.Integer({ minimum: 0 }),
  /** Nanoseconds since 1970, decimal digits. */
  mtimeNs: Type.String(),
  /** The permission bits. */
  mode: Type.Integer({ minimum: 0, maximum: 0o7777 }),
  /** Of a link: where it leads, as it is written. */
  target: Type.Optional(Type.String()),
  /** The same as base64url, where it is not UTF-8. */
  targetBytes: Type.Optional(Type.String()),
};

export const fileEntrySchema = Type.Object({
  name: Type.String(),
  /** From the workspace on. */
  ...shownPathFields,
  ...factsFields,
});
export type FileEntry = Static<typeof fileEntrySchema>;

export const fileFactsSchema = Type.Object(factsFields);
export type FileFacts = Static<typeof fileFactsSchema>;

const sandbox = strictObject({ id: referenceSchema });

export const listFiles = route({
  method: "GET",
  path: "/sandboxes/:id/files",
  summary: "One level of a folder in the workspace, folders first",
  tag: "files",
  access: "user",
  params: sandbox,
  query: strictObject({
    ...workspacePathFields,
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 200 })),
    cursor: Type.Optional(Type.String({ maxLength: 512 })),
  }),
  status: 200,
  result: pageOf(fileEntrySchema),
});

export const statFiles = route({
  method: "POST",
  path: "/sandboxes/:id/files/stat",
  summary: "Facts of many paths at once",
  tag: "files",
  access: "user",
  params: sandbox,
  body: strictObject({
    paths: Type.Optional(Type.Array(workspacePathSchema, { maxItems: 5000 })),
    /** Answered behind those of `paths`. */
    pathsBytes: Type.Optional(Type.Array(workspacePathBytesSchema, { maxItems: 5000 })),
  }),
  status: 200,
  /** In the order of the paths; null where there is nothing. */
  result: Type.Object({ items: Type.Array(nullable(fileFactsSchema)) }),
});
