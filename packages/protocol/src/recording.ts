import Type, { type Static } from "typebox";
import { terminalSizeFields } from "./attach.ts";

/** A recording as it travels: asciicast v3 (https://docs.asciinema.org/manual/asciicast/v3/), lines of JSON. */
export const asciicastMediaType = "application/x-asciicast";

export const recordingLimits = {
  /**
   * One line, in bytes with its end: `eventBytes` of output may take six times as many as JSON.
   */
  lineBytes: 128 * 1024,
  /** Output of one event, in bytes before it is text. */
  eventBytes: 16 * 1024,
  /** Data that is sent at a time, in bytes. */
  portionBytes: 256 * 1024,
  /** A whole recording as JSON: what a PTY host keeps of a terminal cannot become more. */
  totalBytes: 256 * 1024 * 1024,
  /** Recordings of one sandbox that are sent at a time. */
  atOnce: 4,
} as const;

/** What is asked of a PTY host, as a channel's parameters. */
export const recordingParamsSchema = Type.Object({
  terminalId: Type.String({ maxLength: 64 }),
  /** One life of the terminal alone; all that are kept if absent. */
  epoch: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
});
export type RecordingParams = Static<typeof recordingParamsSchema>;

/** The first line of a recording. */
export const asciicastHeaderSchema = Type.Object({
  version: Type.Literal(3),
  term: Type.Object({ ...terminalSizeFields, type: Type.Optional(Type.String({ maxLength: 64 })) }),
  /** When it begins, in seconds since 1970. */
  timestamp: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  /** Players show longer pauses as so many seconds. */
  idle_time_limit: Type.Optional(Type.Number({ minimum: 0 })),
  title: Type.Optional(Type.String({ maxLength: 1024 })),
});
export type AsciicastHeader = Static<typeof asciicastHeaderSchema>;

/** Seconds since the event before. */
const interval = Type.Number({ minimum: 0, maximum: 1e10 });
/** Every other line: output, a new size, a remark, the exit status. */
export const asciicastEventSchema = Type.Union([
  Type.Tuple([interval, Type.Enum(["o", "m"]), Type.String()]),
  Type.Tuple([interval, Type.Literal("r"), Type.String({ pattern: "^[0-9]{1,4}x[0-9]{1,4}$" })]),
  Type.Tuple([interval, Type.Literal("x"), Type.String({ pattern: "^[0-9]{1,5}$" })]),
]);
export type AsciicastEvent = Static<typeof asciicastEventSchema>;
