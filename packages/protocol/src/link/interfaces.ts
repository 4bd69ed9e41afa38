import Type, { type Static } from "typebox";
import { agentActivitySchema, attentionSchema } from "../activity.ts";
import { attachLimits, terminalExitSchema, terminalSizeFields } from "../attach.ts";
import { environmentSchema } from "../guest.ts";
import { keySchema } from "../keys.ts";
import { conversationIdSchema } from "../names.ts";
import { outputPositionSchema } from "../screen-wait.ts";

const terminalId = Type.String({ pattern: "^[a-z0-9_-]{1,64}$", maxLength: 64 });
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const argv = Type.Array(Type.String({ maxLength: 32_768, pattern: "^[^\\u0000]*$" }), { minItems: 1, maxItems: 1024 });
const path = Type.String({ minLength: 1, maxLength: 4096, pattern: "^[^\\u0000]*$" });

export const terminalKindSchema = Type.Enum(["claude", "shell", "exec"]);
export type TerminalKind = Static<typeof terminalKindSchema>;

/** A terminal as its PTY host knows it. */
export const terminalStatusSchema = Type.Object({
  id: terminalId,
  state: Type.Enum(["running", "exited"]),
  exit: Type.Union([terminalExitSchema, Type.Null()]),
  ...terminalSizeFields,
  epoch: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  /** Bytes of output in this epoch. */
  offset: count,
  title: Type.String({ maxLength: 1024 }),
  /** Its program did not end by itself: the PTY host was gone, so the container stopped or the host was killed. */
  lost: Type.Boolean(),
  /** What Claude does in it, of which the agent knows. */
  attention: Type.Optional(attentionSchema),
});
export type TerminalStatus = Static<typeof terminalStatusSchema>;

/** The screen as text, for scripts. */
export const screenSchema = Type.Object({
  text: Type.String({ maxLength: 4 * 1024 * 1024 }),
  ...terminalSizeFields,
  cursor: Type.Object({ x: count, y: count }),
  title: Type.String({ maxLength: 1024 }),
  epoch: Type.Integer({ minimum: 1 }),
  offset: count,
});
export type Screen = Static<typeof screenSchema>;

/** The screen that a wait ended with. */
export const awaitedScreenSchema = Type.Object({
  ...screenSchema.properties,
  /** What was waited for came; otherwise the time was over, or the program had ended. */
  matched: Type.Boolean(),
  state: terminalStatusSchema.properties.state,
});
export type AwaitedScreen = Static<typeof awaitedScreenSchema>;

const inputParams = Type.Object({
  id: terminalId,
  text: Type.String({ maxLength: attachLimits.clientFrameBytes }),
  submit: Type.Boolean(),
  /** As pasted, also where it is one line: programs may take a pasted path for more than its letters. */
  paste: Type.Optional(Type.Boolean()),
  /** Pressed after the text, and before the Enter of `submit`. */
  keys: Type.Optional(Type.Array(keySchema, { maxItems: 1000 })),
});
/** Where the output had come to before the text was typed; null from a host that does not tell. */
const inputResult = Type.Union([outputPositionSchema, Type.Null()]);
const resizeParams = Type.Object({ id: terminalId, ...terminalSizeFields });
const ofTerminal = Type.Object({ id: terminalId });
const statuses = Type.Array(terminalStatusSchema, { maxItems: 1000 });

/** The channel that carries one viewer of one terminal: parameters as `attachParamsSchema`, messages as in `attach.ts`. */
export const terminalChannelKind = "terminal";
/**
 * The channel of one wait for a screen: parameters as `screenWaitParamsSchema`, one message as `awaitedScreenSchema`,
 * then the close. A close by the side that waits ends the wait.
 */
export const screenWaitChannelKind = "screen-wait";

/**
 * The channel that carries a terminal's recording: parameters as `recordingParamsSchema`, then its bytes, and a close
 * without a code behind the last one. A close before the first byte says why there is none.
 */
export const recordingChannelKind = "recording";

/** What the PTY host does for the agent, over its socket. */
export const ptyHostInterface = {
  methods: {
    list: { params: Type.Object({}), result: statuses },
    /**
     * Starts a program in a PTY. With an id and epoch that exist it changes nothing and answers what is there; a known
     * id with the next epoch starts the terminal anew, and keeps its screen.
     */
    start: {
      params: Type.Object({
        id: terminalId,
        epoch: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
        argv,
        cwd: path,
        env: environmentSchema,
        ...terminalSizeFields,
      }),
      result: terminalStatusSchema,
    },
    /** Ends the program (SIGHUP, then SIGKILL) and forgets the terminal with all that was kept of it. Repeatable. */
    remove: { params: ofTerminal, result: Type.Null() },
    input: { params: inputParams, result: inputResult },
    resize: { params: resizeParams, result: terminalStatusSchema },
    screen: { params: ofTerminal, result: screenSchema },
    /** Which programs the host is of. */
    version: { params: Type.Object({}), result: Type.String({ maxLength: 64 }) },
    /**
     * Another version of the PTY host takes over without the end of any terminal: the program of this path in place of
     * the one that runs, in the same process. Refused with `conflict` if that program says that it cannot. Connections
     * end soon after the answer, and the new program serves within a second or two.
     */
    handOver: { params: Type.Object({ program: path }), result: Type.Null() },
    /** The fleet's wishes, kept over restarts. `recording`: off also deletes what was recorded. */
    configure: { params: Type.Object({ recording: Type.Boolean() }), result: Type.Null() },
  },
  /** `terminal`: it changed state, size or title. */
  events: { terminal: terminalStatusSchema },
} as const;

/** What the agent does for the controller. */
export const agentInterface = {
  methods: {
    /** Replaces the environment of the agent's configuration, for terminals started from now on. */
    setEnvironment: { params: Type.Object({ env: environmentSchema }), result: Type.Null() },
    listTerminals: { params: Type.Object({}), result: statuses },
    /** Makes the terminal if there is none of this id; answers it either way. */
    ensureTerminal: {
      params: Type.Object({
        id: terminalId,
        kind: terminalKindSchema,
        /** For `exec`. */
        argv: Type.Optional(argv),
        /** Absolute, or relative to the workspace; the workspace itself if absent. */
        cwd: Type.Optional(path),
        env: Type.Optional(environmentSchema),
        ...terminalSizeFields,
        /** For `claude`: the session that it runs; resumed where a transcript of it is there, begun otherwise. */
        conversationId: Type.Optional(conversationIdSchema),
        /** The session that it begins as a copy of, where a transcript of that is there and none of its own. */
        forkOf: Type.Optional(conversationIdSchema),
        /** A terminal of an earlier epoch is begun anew: viewers know later ones of it, whose bytes were rolled back. */
        minEpoch: Type.Optional(Type.Integer({ minimum: 1 })),
      }),
      result: terminalStatusSchema,
    },
    removeTerminal: { params: ofTerminal, result: Type.Null() },
    /** Types the text, and then Enter if `submit`; several lines go as one bracketed paste. */
    input: { params: inputParams, result: inputResult },
    resize: { params: resizeParams, result: terminalStatusSchema },
    screen: { params: ofTerminal, result: screenSchema },
    /**
     * Looks anew at what uses the sandbox: asked before its container is stopped for want of use. `again`: right before
     * that, when all that was begun since the look before counts; agents of before do not know it.
     */
    activity: { params: Type.Object({ again: Type.Optional(Type.Boolean()) }), result: agentActivitySchema },
  },
  /** `activity`: what uses the sandbox has changed. */
  events: { terminal: terminalStatusSchema, activity: agentActivitySchema },
} as const;

/** What the controller does for the agent. The hello is the first call on a new link; nothing else happens before its answer. */
export const controllerInterface = {
  methods: {
    hello: {
      params: Type.Object({
        linkVersion: Type.Integer({ minimum: 1 }),
        agentVersion: Type.String({ maxLength: 64 }),
        /** Changes with each boot of the container. */
        bootId: Type.String({ maxLength: 64 }),
        machineId: Type.String({ pattern: "^[0-9a-f]{32}$" }),
        /** The version of an update that did not work here, if the last one did not. */
        failedUpdate: Type.Optional(Type.String({ maxLength: 64 })),
        terminals: statuses,
        activity: Type.Optional(agentActivitySchema),
      }),
      result: Type.Object({
        linkVersion: Type.Integer({ minimum: 1 }),
        /** Replaces the environment of the agent's configuration, for terminals started from now on. */
        env: environmentSchema,
        /** Whether terminals are recorded; absent: as before. */
        recording: Type.Optional(Type.Boolean()),
        /** Whether the controller takes events of `activity`; absent: it does not. */
        activity: Type.Optional(Type.Boolean()),
        /** How often the controller wants a sign of life, in milliseconds. */
        heartbeatMs: Type.Integer({ minimum: 1000, maximum: 120_000 }),
      }),
    },
  },
  events: {},
} as const;

/** For a side that offers nothing. */
export const noInterface = { methods: {}, events: {} } as const;

/** The agent listener's only path; the sandbox's id and secret travel as `Authorization: Bearer <id>:<secret>`. */
export const agentLinkPath = "/link";
