import Type, { type Static, type TSchema } from "typebox";

/**
 * The channel of one call that is about the workspace's files or repositories. The controller opens it with
 * `workspaceRequestSchema`. Where the call has input, the agent says `ready`, and takes bytes until the controller says
 * `end`; what is refused before costs no bytes. Then the agent says `answer`, sends the answer's bytes, and closes without
 * a code. A close with a code says why there is no (more) answer; a close by the controller ends the work.
 *
 * Neither end has more than half of the window under way: keys of a terminal wait behind it in the link's socket.
 *
 * On this channel a path is the base64url of its bytes, relative to the workspace, since names need not be UTF-8.
 */
export const workspaceChannelKind = "workspace";

export const workspaceLimits = {
  pathBytes: 4096,
  nameBytes: 255,
  /** Calls at a time for one sandbox, and those of them that watch. */
  calls: 16,
  watches: 8,
  /** One line of an answer of records. */
  recordBytes: 256 * 1024,
  /** Paths in the input of one call; the input's bytes. */
  paths: 20_000,
  pathsBytes: 8 * 1024 * 1024,
  /** Paths in one record of a watch. */
  changesAtOnce: 500,
  /** Bytes of a file that are sent to tell what it is. */
  sampleBytes: 1024,
} as const;

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** The base64url of so many bytes at most. */
const bytes = (max: number) => Type.String({ pattern: "^[A-Za-z0-9_-]*$", maxLength: Math.ceil((max * 4) / 3) });
const path = bytes(workspaceLimits.pathBytes);
const name = bytes(workspaceLimits.nameBytes);
/** Changes whenever the file does. */
const version = Type.String({ pattern: "^[0-9a-f]{32}$" });
const mode = Type.Integer({ minimum: 0, maximum: 0o7777 });
const nothing = Type.Null();
/** A commit, in full. */
const commitHash = Type.String({ pattern: "^[0-9a-f]{40}([0-9a-f]{24})?$" });
/** What git takes for a commit; never an option. */
const revision = Type.String({
  minLength: 1,
  maxLength: 256,
  pattern: "^[^-\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$",
});
/** A call about a repository: the one that this path lies in, and in it about this path alone. */
const repository = { path };
/** Where the repository's own folder is; what git tells of is relative to it. */
const ofRepository = Type.Object({ root: path });

/** What lies under a path, without following a link. */
export const entryFactsSchema = Type.Object({
  type: Type.Enum(["file", "folder", "link", "other"]),
  /** Of a file, in bytes; of others 0. */
  size: count,
  /** Nanoseconds since 1970, as decimal digits: a double does not hold them. */
  mtimeNs: Type.String({ pattern: "^-?[0-9]{1,20}$" }),
  /** The permission bits. */
  mode: Type.Integer({ minimum: 0, maximum: 0o7777 }),
  /** Of a link: where it leads, as it is written. */
  target: Type.Optional(path),
});
export type EntryFacts = Static<typeof entryFactsSchema>;

/** The fields of a commit in the answer of `gitLog`, each a line; the message follows. */
export const gitLogFields = ["%H", "%P", "%an", "%ae", "%at", "%cn", "%ce", "%ct", "%D"] as const;

/** What a call takes and answers. */
export interface WorkspaceMethod {
  readonly params: TSchema;
  /** The value of the answer's message. */
  readonly answer: TSchema;
  /** The answer's bytes are lines of JSON, each of this form; without it they are what the call says. */
  readonly record?: TSchema;
}

/** Every call, by name. */
export const workspaceMethods = {
  /** Facts of many paths: those in the input, each ended by a NUL. A record for each, in their order; null: nothing there. */
  stat: {
    params: Type.Object({}),
    answer: nothing,
    record: Type.Union([entryFactsSchema, Type.Null()]),
  },
  /** One level of a folder, folders first, then by the bytes of their names. */
  list: {
    params: Type.Object({
      path,
      /** The entry that the page before ended with. */
      after: Type.Optional(Type.Object({ folder: Type.Boolean(), name })),
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
    }),
    /** `more`: there is another page. */
    answer: Type.Object({ more: Type.Boolean() }),
    record: Type.Object({ name, facts: entryFactsSchema }),
  },
  /** A file's bytes, or a part of them; they end in the midst if the file changes meanwhile. */
  read: {
    params: Type.Object({
      path,
      /** The first byte and the one behind the last; or so many bytes at the end. */
      range: Type.Optional(
        Type.Union([Type.Object({ from: count, to: Type.Optional(count) }), Type.Object({ last: count })]),
      ),
    }),
    answer: Type.Object({
      version,
      size: count,
      /** What is sent: the first byte, and the one behind the last. */
      from: count,
      to: count,
      mtimeNs: entryFactsSchema.properties.mtimeNs,
      /** How the file begins. */
      sample: bytes(workspaceLimits.sampleBytes),
    }),
  },
  /** Replaces or makes a file by the input, whole or not at all. Folders on the way are made. */
  write: {
    params: Type.Object({
      path,
      /** What must be there until then; otherwise `changed`. Without it, whatever is there is replaced. */
      expected: Type.Optional(Type.Union([Type.Object({ version }), Type.Object({ absent: Type.Literal(true) })])),
      maxBytes: count,
    }),
    answer: Type.Object({
      version,
      size: count,
      mtimeNs: entryFactsSchema.properties.mtimeNs,
      mode,
      created: Type.Boolean(),
    }),
  },
  /** Removes what is there; a folder that is not empty only if `recursive`. */
  remove: {
    params: Type.Object({ path, recursive: Type.Boolean(), version: Type.Optional(version) }),
    answer: nothing,
  },
  /** Makes a folder, and those on the way. */
  makeFolder: { params: Type.Object({ path }), answer: nothing },
  /** Gives something another name, or place. Folders on the way are made. */
  move: { params: Type.Object({ from: path, to: path, overwrite: Type.Boolean() }), answer: nothing },
  /** A file or folder as an archive. Devices, sockets and pipes are left out. */
  pack: { params: Type.Object({ path, format: Type.Enum(["tar", "zip"]) }), answer: nothing },
  /** Puts the entries of the input, a tar or a zip, into a folder, which is made if needed. */
  unpack: {
    params: Type.Object({ path, overwrite: Type.Boolean(), maxBytes: count }),
    answer: Type.Object({ files: count, folders: count, links: count, bytes: count }),
  },
  /** Looks for names or for text. The last record says how the search ended. */
  search: {
    params: Type.Object({
      path,
      what: Type.Enum(["name", "content"]),
      query: Type.String({ minLength: 1, maxLength: 1024, pattern: "^[^\\x00\\n]*$" }),
      regex: Type.Boolean(),
      caseSensitive: Type.Boolean(),
      /** Also what git ignores. */
      ignored: Type.Boolean(),
      limit: Type.Integer({ minimum: 1, maximum: 2000 }),
    }),
    answer: nothing,
    record: Type.Union([
      Type.Object({
        path,
        /** Of text: the line's number, its beginning, and where in that the text is, in UTF-16 units. */
        match: Type.Optional(
          Type.Object({
            line: count,
            text: Type.String({ maxLength: 2000 }),
            ranges: Type.Array(Type.Tuple([count, count]), { maxItems: 64 }),
          }),
        ),
      }),
      Type.Object({ end: Type.Enum(["complete", "limit", "time"]) }),
    ]),
  },
  /** Tells what changes below a folder, for as long as the channel is open. */
  watch: {
    params: Type.Object({ path }),
    /** `partial`: there are more folders than can be watched. */
    answer: Type.Object({ partial: Type.Boolean() }),
    record: Type.Union([
      Type.Object({ changed: Type.Array(path, { minItems: 1, maxItems: workspaceLimits.changesAtOnce }) }),
      /** So much has changed that it is not told in particular. */
      Type.Object({ overflow: Type.Literal(true) }),
    ]),
  },
  /** `git status --porcelain=v2 -z --branch`. */
  gitStatus: {
    params: Type.Object({ ...repository, untracked: Type.Enum(["no", "normal", "all"]) }),
    answer: ofRepository,
  },
  /** How much the repository of the workspace itself has that no remote has. `not_found` where it is none. */
  gitUnsaved: {
    params: Type.Object({}),
    answer: Type.Object({ commits: count, stashes: count, files: count }),
  },
  /** `git diff` as a patch with quoted names: of the files to the index, of the index to HEAD, or of the files to a base. */
  gitDiff: {
    params: Type.Object({
      ...repository,
      staged: Type.Boolean(),
      /** Against where the present branch left this one. */
      base: Type.Optional(revision),
      context: Type.Integer({ minimum: 0, maximum: 1000 }),
    }),
    answer: ofRepository,
  },
  /** Commits, each ended by a NUL, in the form that `gitLogFields` tells. */
  gitLog: {
    params: Type.Object({
      ...repository,
      /** HEAD without it. */
      from: Type.Optional(revision),
      skip: count,
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
    }),
    /** `from`: where it begins, null where there is no commit yet. */
    answer: Type.Object({ root: path, from: Type.Union([commitHash, Type.Null()]) }),
  },
  /** Takes the paths of the input into the index. */
  gitStage: { params: Type.Object(repository), answer: ofRepository },
  /** Takes the paths of the input out of the index again. */
  gitUnstage: { params: Type.Object(repository), answer: ofRepository },
  /** Brings the paths of the input to what the index has. */
  gitDiscard: {
    params: Type.Object(repository),
    /** `kept`: the folder in which what was there is kept for a while; null if there was nothing. */
    answer: Type.Object({ root: path, files: count, kept: Type.Union([path, Type.Null()]) }),
  },
  gitCommit: {
    params: Type.Object({
      ...repository,
      message: Type.Optional(Type.String({ minLength: 1, maxLength: 65_536, pattern: "^[^\\x00]*$" })),
      all: Type.Boolean(),
      amend: Type.Boolean(),
      author: Type.Optional(
        Type.Object({ name: Type.String({ maxLength: 256 }), email: Type.String({ maxLength: 256 }) }),
      ),
    }),
    answer: Type.Object({ root: path, commit: commitHash }),
  },
} as const satisfies Record<string, WorkspaceMethod>;

export type WorkspaceMethods = typeof workspaceMethods;
export type WorkspaceMethodName = keyof WorkspaceMethods;
export type WorkspaceParams<M extends WorkspaceMethodName> = Static<WorkspaceMethods[M]["params"]>;
export type WorkspaceAnswer<M extends WorkspaceMethodName> = Static<WorkspaceMethods[M]["answer"]>;
export type WorkspaceRecord<M extends WorkspaceMethodName> = WorkspaceMethods[M] extends {
  record: infer S extends TSchema;
}
  ? Static<S>
  : never;

export const workspaceRequestSchema = Type.Object({ call: Type.String({ maxLength: 32 }), params: Type.Unknown() });

/** From the controller: that was all of the input, so many bytes. */
export const inputEndSchema = Type.Object({ type: Type.Literal("end"), bytes: count });

/** From the agent. */
export const workspaceMessageSchema = Type.Union([
  Type.Object({ type: Type.Literal("ready") }),
  Type.Object({ type: Type.Literal("answer"), value: Type.Unknown() }),
]);
export type WorkspaceMessage = Static<typeof workspaceMessageSchema>;
