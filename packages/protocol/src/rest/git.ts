import Type, { type Static } from "typebox";
import { referenceSchema } from "../names.ts";
import { shownPathFields, workspacePathBytesSchema, workspacePathFields, workspacePathSchema } from "./files.ts";
import { instantSchema, nullable, pageOf, route, strictObject } from "./route.ts";

const sandbox = strictObject({ id: referenceSchema });
/** A path in a repository of the workspace: the repository is the one that it lies in, and only it is looked at. */
const place = workspacePathFields;
const revision = Type.String({
  minLength: 1,
  maxLength: 256,
  pattern: "^[^-\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$",
});
const root = Type.String();

/** How a file differs. */
export const gitChangeSchema = Type.Enum(["added", "modified", "deleted", "renamed", "copied", "typechanged"]);
export type GitChange = Static<typeof gitChangeSchema>;

const fromFields = { from: Type.Optional(Type.String()), fromBytes: Type.Optional(Type.String()) };

export const gitFileStatusSchema = Type.Object({
  /** From the workspace on. A folder of which nothing is tracked ends with a slash. */
  ...shownPathFields,
  /** What it was called, if it was renamed or copied. */
  ...fromFields,
  state: Type.Enum(["changed", "conflicted", "untracked"]),
  /** In the index, against the commit. */
  staged: nullable(gitChangeSchema),
  /** In the files, against the index. */
  unstaged: nullable(gitChangeSchema),
  /** Git's two letters of a conflict, such as `UU`. */
  conflict: Type.Optional(Type.String()),
});
export type GitFileStatus = Static<typeof gitFileStatusSchema>;

export const gitBranchSchema = Type.Object({
  /** Null: no branch is checked out. */
  name: nullable(Type.String()),
  /** Null: there is no commit yet. */
  commit: nullable(Type.String()),
  upstream: nullable(Type.String()),
  /** Null without an upstream, or where that is gone. */
  ahead: nullable(Type.Integer()),
  behind: nullable(Type.Integer()),
});
export type GitBranch = Static<typeof gitBranchSchema>;

export const gitStatus = route({
  method: "GET",
  path: "/sandboxes/:id/git/status",
  summary: "What has changed in a repository of the workspace",
  tag: "git",
  access: "user",
  params: sandbox,
  query: strictObject({
    ...place,
    /** `normal` shows a folder of which nothing is tracked as one. */
    untracked: Type.Optional(Type.Enum(["no", "normal", "all"])),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50_000, default: 10_000 })),
  }),
  status: 200,
  result: Type.Object({
    /** The repository's own folder, from the workspace on. */
    root,
    branch: gitBranchSchema,
    files: Type.Array(gitFileStatusSchema),
    /** There are more files than were asked for. */
    truncated: Type.Boolean(),
  }),
});

export const gitHunkSchema = Type.Object({
  oldStart: Type.Integer(),
  oldLines: Type.Integer(),
  newStart: Type.Integer(),
  newLines: Type.Integer(),
  /** The line that git shows for orientation. */
  header: Type.String(),
  /** Each begins with ` `, `+`, `-`, or `\` for git's word on a missing end of line. */
  lines: Type.Array(Type.String()),
});
export type GitHunk = Static<typeof gitHunkSchema>;

export const gitFileDiffSchema = Type.Object({
  ...shownPathFields,
  ...fromFields,
  status: gitChangeSchema,
  /** Git's modes, such as `100644`; null on the side where there is no file, or as before. */
  oldMode: nullable(Type.String()),
  newMode: nullable(Type.String()),
  conflicted: Type.Boolean(),
  binary: Type.Boolean(),
  /** Its hunks are left out, since it or the whole answer would be too large. */
  tooLarge: Type.Boolean(),
  additions: Type.Integer(),
  deletions: Type.Integer(),
  hunks: Type.Array(gitHunkSchema),
});
export type GitFileDiff = Static<typeof gitFileDiffSchema>;

const diffQuery = strictObject({
  ...place,
  /** The index against the commit; otherwise the files against the index. */
  staged: Type.Optional(Type.Boolean()),
  /** Against where the present branch left this branch, tag or commit. */
  base: Type.Optional(revision),
  /** Lines around each change. */
  context: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, default: 3 })),
});

export const gitDiff = route({
  method: "GET",
  path: "/sandboxes/:id/git/diff",
  summary: "What has changed, by file and hunk",
  tag: "git",
  access: "user",
  params: sandbox,
  query: diffQuery,
  status: 200,
  result: Type.Object({
    root,
    files: Type.Array(gitFileDiffSchema),
    /** There are more files than an answer has. */
    truncated: Type.Boolean(),
  }),
});

export const gitPatch = route({
  method: "GET",
  path: "/sandboxes/:id/git/patch",
  summary: "The same as the patch that git writes",
  tag: "git",
  access: "user",
  params: sandbox,
  query: diffQuery,
  status: 200,
  stream: "download",
  mediaType: "text/x-diff",
});

const person = Type.Object({ name: Type.String(), email: Type.String(), at: instantSchema });

export const gitCommitSchema = Type.Object({
  commit: Type.String(),
  parents: Type.Array(Type.String()),
  author: person,
  committer: person,
  /** Branches and tags that are there, in full: `refs/heads/main`. */
  refs: Type.Array(Type.String()),
  subject: Type.String(),
  body: Type.String(),
});
export type GitCommit = Static<typeof gitCommitSchema>;

export const gitLog = route({
  method: "GET",
  path: "/sandboxes/:id/git/log",
  summary: "Commits, the newest first",
  tag: "git",
  access: "user",
  params: sandbox,
  query: strictObject({
    ...place,
    /** Where to begin: a branch, tag or commit. */
    from: Type.Optional(revision),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 128 })),
  }),
  status: 200,
  result: pageOf(gitCommitSchema),
});

const pathsBody = strictObject({
  /** Files or folders; a folder stands for all that has changed below it. */
  paths: Type.Optional(Type.Array(workspacePathSchema, { maxItems: 5000 })),
  pathsBytes: Type.Optional(Type.Array(workspacePathBytesSchema, { maxItems: 5000 })),
});

const change = <const Verb extends "stage" | "unstage">(verb: Verb, summary: string) =>
  route({
    method: "POST",
    path: `/sandboxes/:id/git/${verb}`,
    summary,
    tag: "git",
    access: "user",
    params: sandbox,
    body: pathsBody,
    status: 200,
    result: Type.Object({ root }),
  });
export const gitStage = change("stage", "Take changes into the index");
export const gitUnstage = change("unstage", "Take changes out of the index, and leave the files as they are");

export const gitDiscard = route({
  method: "POST",
  path: "/sandboxes/:id/git/discard",
  summary: "Bring files to what the index has; what is thrown away is kept for two weeks",
  tag: "git",
  access: "user",
  params: sandbox,
  body: pathsBody,
  status: 200,
  result: Type.Object({
    root,
    files: Type.Integer(),
    /** The folder in the workspace where it is kept, under its paths; null if nothing was there. */
    kept: nullable(Type.String()),
  }),
});

export const gitCommit = route({
  method: "POST",
  path: "/sandboxes/:id/git/commit",
  summary: "Commit what is staged; no hooks run",
  tag: "git",
  access: "user",
  params: sandbox,
  body: strictObject({
    ...workspacePathFields,
    /** Required unless `amend` keeps the former one. */
    message: Type.Optional(Type.String({ minLength: 1, maxLength: 65_536, pattern: "^[^\\x00]*$" })),
    /** Every tracked file that has changed, too. */
    all: Type.Optional(Type.Boolean()),
    /** In place of the last commit. */
    amend: Type.Optional(Type.Boolean()),
    author: Type.Optional(
      strictObject({
        name: Type.String({ minLength: 1, maxLength: 256, pattern: "^[^<>\\x00-\\x1f\\x7f]*$" }),
        email: Type.String({ minLength: 1, maxLength: 256, pattern: "^[^<>\\s\\x00-\\x1f\\x7f]*$" }),
      }),
    ),
  }),
  status: 201,
  result: Type.Object({ root, commit: Type.String() }),
});
