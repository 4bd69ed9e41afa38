import Type, { type Static } from "typebox";
import { Compile } from "typebox/compile";
import { parseJson } from "./json.ts";

/** Bounds of the attach protocol. */
export const attachLimits = {
  /** Unacknowledged output bytes that a viewer may have in flight: 25 ms of a terminal that digests 10 MB/s. */
  windowBytes: 256 * 1024,
  /** One frame from a client, terminal input or control. */
  clientFrameBytes: 1024 * 1024,
  defaultScrollbackLines: 1000,
  maxScrollbackLines: 10_000,
  maxCols: 1000,
  maxRows: 500,
} as const;

const columns = Type.Integer({ minimum: 1, maximum: attachLimits.maxCols });
const lines = Type.Integer({ minimum: 1, maximum: attachLimits.maxRows });
/** A count of bytes since the start of the epoch. */
const offset = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** Counts the lives of a terminal: it grows when its program is started anew. */
const epoch = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
export const terminalSizeFields = { cols: columns, rows: lines };

/** The query of the attach call, as text: `?cols=&rows=&from=&scrollback=&input=`. */
export const attachQuerySchema = Type.Object({
  cols: Type.Optional(columns),
  rows: Type.Optional(lines),
  /** `<epoch>:<offset>`: where the client's output ends. */
  from: Type.Optional(Type.String({ pattern: "^[0-9]{1,16}:[0-9]{1,16}$" })),
  /** Lines of scrollback in a snapshot. */
  scrollback: Type.Optional(Type.Integer({ minimum: 0, maximum: attachLimits.maxScrollbackLines })),
  /** `<random stream id>:<offset>`: the client's input stream and how much of it is known to be written. */
  input: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}:[0-9]{1,16}$" })),
});
export type AttachQuery = Static<typeof attachQuerySchema>;

/** What a viewer asks for, as it travels to the PTY host. */
export const attachParamsSchema = Type.Object({
  terminalId: Type.String({ maxLength: 64 }),
  cols: Type.Optional(columns),
  rows: Type.Optional(lines),
  from: Type.Optional(Type.Object({ epoch: Type.Integer({ minimum: 0 }), offset })),
  scrollbackLines: Type.Integer({ minimum: 0, maximum: attachLimits.maxScrollbackLines }),
  input: Type.Optional(Type.Object({ stream: Type.String({ maxLength: 64 }), offset })),
  /** A viewer that may look and not type. */
  readOnly: Type.Boolean(),
});
export type AttachParams = Static<typeof attachParamsSchema>;

/** Reads the attach call's query into what the PTY host is asked for. */
export function attachParams(terminalId: string, query: AttachQuery, readOnly = false): AttachParams {
  const from = query.from?.split(":");
  const input = query.input?.split(":");
  return {
    terminalId,
    ...(query.cols !== undefined && query.rows !== undefined ? { cols: query.cols, rows: query.rows } : {}),
    ...(from ? { from: { epoch: count(from[0]), offset: count(from[1]) } } : {}),
    scrollbackLines: query.scrollback ?? attachLimits.defaultScrollbackLines,
    ...(input ? { input: { stream: input[0] ?? "", offset: count(input[1]) } } : {}),
    readOnly,
  };
}

/** A count in decimal digits. One that is greater than any count can be stays so: it is answered like any future one. */
function count(digits: string | undefined): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** How a terminal's program ended: a code, or the signal that ended it; both null when its container stopped. */
export const terminalExitSchema = Type.Object({
  code: Type.Union([Type.Integer(), Type.Null()]),
  signal: Type.Union([Type.String({ maxLength: 32 }), Type.Null()]),
});
export type TerminalExit = Static<typeof terminalExitSchema>;

/** Control messages from the server to a viewer. */
export const serverMessageSchema = Type.Union([
  Type.Object({
    type: Type.Literal("attached"),
    epoch,
    /** Where the live bytes begin: at once in mode `exact`, after one snapshot frame in mode `snapshot`. */
    offset,
    mode: Type.Enum(["exact", "snapshot"]),
    cols: columns,
    rows: lines,
    windowBytes: Type.Integer({ minimum: 1 }),
    /** Bytes of the client's input stream that were written to the PTY: its next byte has this offset. */
    inputOffset: offset,
    /** The snapshot was made while its model of the screen was behind. */
    approximate: Type.Optional(Type.Boolean()),
  }),
  /** One snapshot frame follows, then live bytes from `offset`. */
  Type.Object({ type: Type.Literal("resync"), epoch, offset, approximate: Type.Optional(Type.Boolean()) }),
  Type.Object({ type: Type.Literal("resized"), cols: columns, rows: lines }),
  Type.Object({ type: Type.Literal("inputAck"), offset }),
  /** After the last byte; the connection then closes with 1000. */
  Type.Object({
    type: Type.Literal("exit"),
    code: terminalExitSchema.properties.code,
    signal: terminalExitSchema.properties.signal,
  }),
  /** The connection then closes with 1008 after a bad control frame, 1011 or 1012 otherwise. */
  Type.Object({
    type: Type.Literal("error"),
    code: Type.String({ maxLength: 64 }),
    detail: Type.String({ maxLength: 1024 }),
  }),
]);
export type ServerMessage = Static<typeof serverMessageSchema>;

/** Control messages from a viewer to the server. */
export const clientMessageSchema = Type.Union([
  Type.Object({ type: Type.Literal("resize"), cols: columns, rows: lines }),
  /** The absolute output offset that was digested; the first one turns windowed flow control on. */
  Type.Object({ type: Type.Literal("ack"), offset }),
]);
export type ClientMessage = Static<typeof clientMessageSchema>;

// Compiled when the first message comes: a program that starts beside many others is not to wait for it.
const lazily = <T>(make: () => T) => {
  let made: T | undefined;
  return () => (made ??= make());
};
const serverMessage = lazily(() => Compile(serverMessageSchema));
const clientMessage = lazily(() => Compile(clientMessageSchema));

/** The message in a text frame, or undefined if it is none. */
export function parseServerMessage(text: string): ServerMessage | undefined {
  const value = parseJson(text);
  return serverMessage().Check(value) ? value : undefined;
}

/** Whether a value is a message of a viewer's. */
export function isClientMessage(value: unknown): value is ClientMessage {
  return clientMessage().Check(value);
}

/** The message in a text frame, or undefined if it is none. */
export function parseClientMessage(text: string): ClientMessage | undefined {
  const value = parseJson(text);
  return clientMessage().Check(value) ? value : undefined;
}
