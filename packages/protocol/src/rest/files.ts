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

/** What is taken in one call; more goes by SSH. */
export const fileTransferLimits = {
  /** Of a file, or of the part that is asked for. */
  readBytes: 256 * 1024 * 1024,
  writeBytes: 256 * 1024 * 1024,
  archiveBytes: 8 * 1024 * 1024 * 1024,
} as const;

/** Changes whenever the file does; also its `ETag`. */
export const fileVersionSchema = Type.String({ pattern: "^[0-9a-f]{32}$" });

export const readFile = route({
  method: "GET",
  path: "/sandboxes/:id/files/content",
  summary: "A file's bytes, or by `Range` a part of them; its version is the `ETag`",
  tag: "files",
  access: "user",
  params: sandbox,
  query: strictObject(workspacePathFields),
  status: 200,
  stream: "download",
});

export const writeFile = route({
  method: "PUT",
  path: "/sandboxes/:id/files/content",
  summary: "Write a file, whole or not at all; with `version` or `If-Match` only if it is still the one that was read",
  tag: "files",
  access: "user",
  params: sandbox,
  query: strictObject({
    ...workspacePathFields,
    /** The version that was read: `conflict` if the file is another by now. `If-None-Match: *` only makes a new file. */
    version: Type.Optional(fileVersionSchema),
  }),
  upload: { maxBytes: fileTransferLimits.writeBytes },
  status: 200,
  result: Type.Object({
    ...shownPathFields,
    version: fileVersionSchema,
    size: Type.Integer(),
    mtimeNs: Type.String(),
    mode: Type.Integer(),
    created: Type.Boolean(),
  }),
});

export const removeFile = route({
  method: "DELETE",
  path: "/sandboxes/:id/files/content",
  summary: "Remove a file or an empty folder, or with `recursive` a folder and all that is in it",
  tag: "files",
  access: "user",
  params: sandbox,
  query: strictObject({
    ...workspacePathFields,
    recursive: Type.Optional(Type.Boolean()),
    version: Type.Optional(fileVersionSchema),
  }),
  status: 204,
});

export const makeFolder = route({
  method: "POST",
  path: "/sandboxes/:id/files/folder",
  summary: "Make a folder, and those on the way to it",
  tag: "files",
  access: "user",
  params: sandbox,
  body: strictObject(workspacePathFields),
  status: 201,
  result: Type.Object(shownPathFields),
});

export const moveFile = route({
  method: "POST",
  path: "/sandboxes/:id/files/move",
  summary: "Rename or move a file or folder",
  tag: "files",
  access: "user",
  params: sandbox,
  body: strictObject({
    from: Type.Optional(workspacePathSchema),
    fromBytes: Type.Optional(workspacePathBytesSchema),
    to: Type.Optional(workspacePathSchema),
    toBytes: Type.Optional(workspacePathBytesSchema),
    /** Replace a file, or an empty folder, that has the new name. */
    overwrite: Type.Optional(Type.Boolean()),
  }),
  status: 200,
  result: Type.Object(shownPathFields),
});

export const uploadArchive = route({
  method: "POST",
  path: "/sandboxes/:id/files/archive",
  summary: "Put the entries of a tar or zip into a folder, which is made if needed",
  tag: "files",
  access: "user",
  params: sandbox,
  query: strictObject({
    ...workspacePathFields,
    /** Replace files that are there; otherwise the first of them ends the call with `conflict`. */
    overwrite: Type.Optional(Type.Boolean()),
  }),
  upload: { maxBytes: fileTransferLimits.archiveBytes },
  status: 201,
  result: Type.Object({
    files: Type.Integer(),
    folders: Type.Integer(),
    links: Type.Integer(),
    bytes: Type.Integer(),
  }),
});

export const downloadArchive = route({
  method: "GET",
  path: "/sandboxes/:id/files/archive",
  summary: "A file or folder as a tar or zip, made as it is read",
  tag: "files",
  access: "user",
  params: sandbox,
  query: strictObject({ ...workspacePathFields, format: Type.Optional(Type.Enum(["tar", "zip"])) }),
  status: 200,
  stream: "download",
});

export const fileMatchSchema = Type.Object({
  ...shownPathFields,
  /** Where the text was found: the line, and ranges in its text in UTF-16 units. */
  match: Type.Optional(
    Type.Object({
      line: Type.Integer(),
      text: Type.String(),
      ranges: Type.Array(Type.Object({ start: Type.Integer(), end: Type.Integer() })),
    }),
  ),
});

export const searchFiles = route({
  method: "GET",
  path: "/sandboxes/:id/files/search",
  summary: "Look for files by their names or by text in them, leaving out what git ignores",
  tag: "files",
  access: "user",
  params: sandbox,
  query: strictObject({
    ...workspacePathFields,
    q: Type.String({ minLength: 1, maxLength: 1024, pattern: "^[^\\x00\\n]*$" }),
    in: Type.Optional(Type.Enum(["name", "content"])),
    /** Of text: the query is a regular expression, in ripgrep's syntax. */
    regex: Type.Optional(Type.Boolean()),
    caseSensitive: Type.Optional(Type.Boolean()),
    /** Also what git ignores. */
    ignored: Type.Optional(Type.Boolean()),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 2000, default: 200 })),
  }),
  status: 200,
  result: Type.Object({
    items: Type.Array(fileMatchSchema),
    /** There may be more: the limit was reached, or the time was over. */
    end: Type.Enum(["complete", "limit", "time"]),
  }),
});

/**
 * Events: `watching {partial}` at first, and then `changed {paths: [{path, pathBytes?}]}`; `overflow {}` where so much
 * changed that everything has to be looked at anew.
 */
export const fileEvents = route({
  method: "GET",
  path: "/sandboxes/:id/files/events",
  summary: "What changes below a folder, from now on",
  tag: "files",
  access: "user",
  params: sandbox,
  query: strictObject(workspacePathFields),
  status: 200,
  stream: "sse",
});
