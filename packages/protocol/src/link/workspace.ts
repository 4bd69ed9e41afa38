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
  /** Bytes of a file that are sent to tell what it is. */
  sampleBytes: 1024,
} as const;

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** The base64url of so many bytes at most. */
const bytes = (max: number) => Type.String({ pattern: "^[A-Za-z0-9_-]*$", maxLength: Math.ceil((max * 4) / 3) });
const path = bytes(workspaceLimits.pathBytes);
const name = bytes(workspaceLimits.nameBytes);
const nothing = Type.Null();

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
