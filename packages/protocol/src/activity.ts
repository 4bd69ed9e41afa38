import Type, { type Static } from "typebox";

/**
 * What Claude is doing in a terminal: `waiting` is for a person (a permission, an answer), and `error` says that its last
 * turn ended with one of the API's.
 */
export const attentionSchema = Type.Enum(["working", "waiting", "idle", "error"]);
export type Attention = Static<typeof attentionSchema>;

/** What keeps a sandbox awake. */
export const useKinds = [
  /** Somebody looks at a terminal. */
  "viewer",
  /** Claude works, also at what it runs in the background. */
  "claude",
  /** Claude waits for a person. */
  "claude-waiting",
  /** Claude has set itself a time to go on at. */
  "claude-scheduled",
  /** A program that is not a shell's prompt has a terminal. */
  "program",
  /** A terminal prints. */
  "output",
  /** Something that was left running works on. */
  "job",
  /** Somebody is signed in by SSH, through the gateway or not. */
  "ssh",
  /** A container in the sandbox runs. */
  "container",
  /** A call about files, git or a screen is under way. */
  "call",
  /** The workspace is being synced, or is followed. */
  "sync",
] as const;
export type UseKind = (typeof useKinds)[number];

/** How each is said to people; the name of a program, if there is one, follows. */
export const useWords: Readonly<Record<UseKind, string>> = {
  viewer: "attached",
  claude: "Claude works",
  "claude-waiting": "Claude waits for you",
  "claude-scheduled": "Claude has scheduled work",
  program: "runs",
  output: "prints",
  job: "works on",
  ssh: "SSH",
  container: "runs a container",
  call: "in use",
  sync: "syncs",
};

/** One thing that keeps a sandbox awake. Where it comes from a sandbox, it is that one's own word for itself. */
export const useSchema = Type.Object({
  kind: Type.Enum(useKinds),
  /** Which: the name of a program. */
  detail: Type.Optional(Type.String({ maxLength: 64 })),
});
export type Use = Static<typeof useSchema>;

/** What an agent says of the use of its sandbox. */
export const agentActivitySchema = Type.Object({
  /** What keeps it awake now; empty: nothing. */
  uses: Type.Array(useSchema, { maxItems: 16 }),
  /** For how long it has been so that nothing does, in milliseconds. */
  idleMs: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
});
export type AgentActivity = Static<typeof agentActivitySchema>;
