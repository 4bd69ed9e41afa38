import Type, { type Static } from "typebox";
import { idSchema, referenceSchema } from "../names.ts";
import { branchNameSchema, gitUrlSchema } from "./git-source.ts";
import { operationSchema } from "./operations.ts";
import { instantSchema, nullable, pageOf, pageQuerySchema, route, strictObject } from "./route.ts";
import { unsavedWorkSchema } from "./unsaved.ts";

/** A repository that sandboxes are made from: the controller keeps a mirror of it. */
export const projectSchema = Type.Object({
  id: idSchema,
  /** Without any credential. */
  url: Type.String(),
  /** Null until the mirror was fetched, and for an empty repository. */
  defaultBranch: nullable(Type.String()),
  /** Whether the controller was given a credential for it. */
  credential: Type.Boolean(),
  fetchedAt: nullable(instantSchema),
  createdAt: instantSchema,
});
export type Project = Static<typeof projectSchema>;

/** For `https` remotes. It stays on the controller's side, and is never shown again. */
export const gitCredentialSchema = strictObject({
  /** Absent: what token-taking hosts accept, `x-access-token`. */
  username: Type.Optional(Type.String({ minLength: 1, maxLength: 200, pattern: "^[^\\u0000-\\u001f]+$" })),
  /** A token or a password. */
  secret: Type.String({ minLength: 1, maxLength: 4096, pattern: "^[^\\u0000-\\u001f]+$" }),
});
export type GitCredential = Static<typeof gitCredentialSchema>;

const projectReference = strictObject({ id: idSchema });
const sandboxReference = strictObject({ id: referenceSchema });

export const listProjects = route({
  method: "GET",
  path: "/projects",
  summary: "Your projects, the newest first",
  tag: "projects",
  access: "user",
  status: 200,
  result: Type.Object({ items: Type.Array(projectSchema) }),
});

export const createProject = route({
  method: "POST",
  path: "/projects",
  summary:
    "Name a repository that sandboxes are made from; there is one project for each URL, which a second call answers",
  tag: "projects",
  access: "user",
  body: strictObject({ url: gitUrlSchema, credential: Type.Optional(gitCredentialSchema) }),
  status: 200,
  result: projectSchema,
});

export const deleteProject = route({
  method: "DELETE",
  path: "/projects/:id",
  summary: "Forget a project with its mirror and its credential; no sandbox may be of it",
  tag: "projects",
  access: "user",
  params: projectReference,
  status: 204,
});

export const putProjectCredential = route({
  method: "PUT",
  path: "/projects/:id/credential",
  summary: "Give the controller a credential for a project's remote",
  tag: "projects",
  access: "user",
  params: projectReference,
  body: gitCredentialSchema,
  status: 204,
});

export const deleteProjectCredential = route({
  method: "DELETE",
  path: "/projects/:id/credential",
  summary: "Forget the credential of a project's remote",
  tag: "projects",
  access: "user",
  params: projectReference,
  status: 204,
});

/** How the worktree on the controller's host stands to the sandbox's branch. */
export const worktreeSchema = Type.Object({
  /** Absolute, on the controller's host. */
  path: Type.String(),
  commit: nullable(Type.String()),
  /**
   * `changed`: it has uncommitted changes of its own, `diverged`: commits of its own; it was left as it is then, and the
   * sandbox's commits are in the mirror.
   */
  state: Type.Enum(["current", "changed", "diverged"]),
});
export type Worktree = Static<typeof worktreeSchema>;

/** What came of the files of a sandbox, committed or not, on the way into its worktree. */
export const worktreeFilesSchema = Type.Object({
  /** Written or deleted. */
  brought: Type.Integer(),
  /** Some of those that were changed on both sides: they are as the host has them. */
  conflicts: Type.Array(Type.String()),
});
export type WorktreeFiles = Static<typeof worktreeFilesSchema>;

/**
 * What a `git push` in a sandbox may do at the remote. `none`: nothing. `own`: bring new commits to the sandbox's own
 * branch and to branches whose names begin with it and a dot. `own-rewrite`: also overwrite and delete these. `any`: all
 * of it with any branch or tag.
 */
export const pushPolicySchema = Type.Enum(["none", "own", "own-rewrite", "any"]);
export type PushPolicy = Static<typeof pushPolicySchema>;

export const sandboxProjectSchema = Type.Object({
  project: projectSchema,
  /** The sandbox's own branch. */
  branch: Type.String(),
  /** The remote's branch where it began; null for an empty repository. */
  baseBranch: nullable(Type.String()),
  /** The sandbox's commit that the mirror has. */
  commit: nullable(Type.String()),
  /** What a `git push` in the sandbox may do; people's own pushes are not bound by it. */
  push: pushPolicySchema,
});
export type SandboxProject = Static<typeof sandboxProjectSchema>;

export const getSandboxProject = route({
  method: "GET",
  path: "/sandboxes/:id/git/project",
  summary: "The project that a sandbox's workspace was made from, and the sandbox's branch",
  tag: "git",
  access: "user",
  params: sandboxReference,
  status: 200,
  result: sandboxProjectSchema,
});

export const updateSandboxProject = route({
  method: "PATCH",
  path: "/sandboxes/:id/git/project",
  summary: "Say what a git push in the sandbox may do at the remote",
  tag: "git",
  access: "user",
  params: sandboxReference,
  body: strictObject({ push: pushPolicySchema }),
  status: 200,
  result: sandboxProjectSchema,
});

const operationOnly = Type.Object({ operation: operationSchema });

/** The `result` of an operation `git_push`. */
export const pushResultSchema = Type.Object({
  /** In the sandbox. */
  branch: Type.String(),
  /** On the remote. */
  remoteBranch: Type.String(),
  commit: Type.String(),
  state: Type.Enum(["pushed", "up_to_date"]),
  /** What the remote said, such as where to open a pull request. */
  messages: Type.Array(Type.String()),
  /** Null: it could not be brought along; the push was made nevertheless. */
  worktree: nullable(worktreeSchema),
});
export type PushResult = Static<typeof pushResultSchema>;

export const gitPush = route({
  method: "POST",
  path: "/sandboxes/:id/git/push",
  summary:
    "Take the commits of the sandbox's branch and push them to the project's remote with the controller's credentials",
  tag: "git",
  access: "user",
  params: sandboxReference,
  idempotent: true,
  body: strictObject({
    /** Its name on the remote; absent: the same. */
    remoteBranch: Type.Optional(branchNameSchema),
    /** Overwrite the remote's branch, unless it has changed since this controller saw it last. */
    force: Type.Optional(Type.Boolean()),
  }),
  status: 202,
  result: operationOnly,
});

/** The `result` of an operation `git_fetch`. */
export const fetchResultSchema = Type.Object({ commit: nullable(Type.String()), worktree: worktreeSchema });
export type FetchResult = Static<typeof fetchResultSchema>;

export const gitFetch = route({
  method: "POST",
  path: "/sandboxes/:id/git/fetch",
  summary:
    "Bring the remote's new commits into the sandbox as origin/*, the host's worktree's as host/*, and the sandbox's into the mirror",
  tag: "git",
  access: "user",
  params: sandboxReference,
  idempotent: true,
  status: 202,
  result: operationOnly,
});

/** The `result` of an operation `git_worktree`. */
export const worktreeResultSchema = Type.Object({
  ...worktreeSchema.properties,
  /** Null: they were not asked for, or nothing was brought along. */
  files: nullable(worktreeFilesSchema),
});
export type WorktreeResult = Static<typeof worktreeResultSchema>;

export const gitWorktree = route({
  method: "POST",
  path: "/sandboxes/:id/git/worktree",
  summary: "Bring the worktree on the controller's host to the sandbox's last commit, or to its files as they are",
  tag: "git",
  access: "user",
  params: sandboxReference,
  query: strictObject({
    /** True: uncommitted files, too, by rsync. */
    files: Type.Optional(Type.Boolean()),
  }),
  idempotent: true,
  status: 202,
  result: operationOnly,
});

export const gitUnsaved = route({
  method: "GET",
  path: "/sandboxes/:id/git/unsaved",
  summary: "What would be lost with a sandbox: commits that no remote has, files that are not committed",
  tag: "git",
  access: "user",
  params: sandboxReference,
  status: 200,
  result: unsavedWorkSchema,
});

export const keptParts = ["bundle", "bundles", "patch", "untracked"] as const;
export type KeptPart = (typeof keptParts)[number];

/** What was unsaved in a sandbox when it was destroyed. */
export const keptWorkSchema = Type.Object({
  id: idSchema,
  sandboxId: idSchema,
  sandboxName: Type.String(),
  /** Null where the repository was no project's. */
  url: nullable(Type.String()),
  /**
   * `bundle`: the commits, for `git fetch FILE`; `patch`: the uncommitted changes of tracked files, for `git apply`;
   * `untracked`: a tar of the files that git did not know.
   */
  parts: Type.Array(Type.Object({ part: Type.Enum(keptParts), bytes: Type.Integer() })),
  /** Why there is not all of it. */
  missing: nullable(Type.String()),
  createdAt: instantSchema,
  /** When it is deleted. */
  expiresAt: instantSchema,
});
export type KeptWork = Static<typeof keptWorkSchema>;

export const listKeptWork = route({
  method: "GET",
  path: "/kept-work",
  summary: "What was kept of the unsaved work in destroyed sandboxes, the newest first",
  tag: "git",
  access: "user",
  query: pageQuerySchema,
  status: 200,
  result: pageOf(keptWorkSchema),
});

export const downloadKeptWork = route({
  method: "GET",
  path: "/kept-work/:id/:part",
  summary: "A part of what was kept, as a file",
  tag: "git",
  access: "user",
  params: strictObject({ id: idSchema, part: Type.Enum(keptParts) }),
  status: 200,
  stream: "download",
});

export const deleteKeptWork = route({
  method: "DELETE",
  path: "/kept-work/:id",
  summary: "Delete what was kept before its time",
  tag: "git",
  access: "user",
  params: strictObject({ id: idSchema }),
  status: 204,
});
