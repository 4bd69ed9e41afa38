import Type, { type Static } from "typebox";
import { BerthError } from "./errors.ts";

/** Bounds of a wait for a terminal's screen. */
export const screenWaitLimits = {
  defaultTimeoutMs: 10_000,
  maxTimeoutMs: 60_000,
  maxTextLength: 1024,
} as const;

const offset = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const waitedMs = Type.Integer({ minimum: 0, maximum: screenWaitLimits.maxTimeoutMs });

/** A place in a terminal's output: bytes since the start of an epoch. */
export const outputPositionSchema = Type.Object({
  epoch: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  offset,
});
export type OutputPosition = Static<typeof outputPositionSchema>;

/** What is waited for: a text, as it stands and nothing else; or that nothing is written for so many milliseconds. */
export const screenConditionSchema = Type.Union([
  Type.Object({ text: Type.String({ minLength: 1, maxLength: screenWaitLimits.maxTextLength }) }),
  Type.Object({ idleMs: waitedMs }),
]);
export type ScreenCondition = Static<typeof screenConditionSchema>;

/** The query of a call that waits for a screen, as text: `?waitFor=&timeoutMs=&since=`. */
export const screenWaitQuerySchema = Type.Object({
  /** `text:<literal text>` or `idle:<milliseconds without output>`. */
  waitFor: Type.Optional(
    Type.String({
      pattern: "^(?:text:[\\s\\S]+|idle:[0-9]{1,5})$",
      maxLength: screenWaitLimits.maxTextLength + "text:".length,
    }),
  ),
  /** How long it is waited at most, in milliseconds; 10 s if absent. */
  timeoutMs: Type.Optional(waitedMs),
  /** `<epoch>:<offset>`: a text counts only if it was written behind this place. */
  since: Type.Optional(Type.String({ pattern: "^[0-9]{1,16}:[0-9]{1,16}$" })),
});
export type ScreenWaitQuery = Static<typeof screenWaitQuerySchema>;

/** A wait as it travels to the PTY host. */
export const screenWaitParamsSchema = Type.Object({
  terminalId: Type.String({ maxLength: 64 }),
  condition: screenConditionSchema,
  timeoutMs: waitedMs,
  /** A text counts only if it was written behind this place. */
  since: Type.Optional(outputPositionSchema),
});
export type ScreenWaitParams = Static<typeof screenWaitParamsSchema>;

/**
 * Reads the query of a call into what is waited for; undefined: nothing is. Throws `invalid_request` for a query that
 * makes no sense.
 */
export function screenWait(terminalId: string, query: ScreenWaitQuery): ScreenWaitParams | undefined {
  const { waitFor, timeoutMs = screenWaitLimits.defaultTimeoutMs } = query;
  if (waitFor === undefined) {
    for (const field of ["timeoutMs", "since"] as const) {
      if (query[field] !== undefined) throw senseless(field, "goes with waitFor");
    }
    return undefined;
  }
  const condition = readCondition(waitFor);
  if (query.since === undefined) return { terminalId, condition, timeoutMs };
  if ("idleMs" in condition) throw senseless("since", "goes with waitFor=text:…, since silence is always of now");
  return { terminalId, condition, timeoutMs, since: readPosition(query.since) };
}

function readCondition(waitFor: string): ScreenCondition {
  if (waitFor.startsWith("text:")) return { text: waitFor.slice("text:".length) };
  const idleMs = Number(waitFor.slice("idle:".length));
  if (idleMs <= screenWaitLimits.maxTimeoutMs) return { idleMs };
  throw senseless("waitFor", `idle is at most ${screenWaitLimits.maxTimeoutMs} ms`);
}

function readPosition(since: string): OutputPosition {
  const [epoch, at] = since.split(":").map((digits) => Math.min(Number(digits), Number.MAX_SAFE_INTEGER));
  return { epoch: epoch ?? 0, offset: at ?? 0 };
}

function senseless(field: string, wrong: string): BerthError {
  return new BerthError("invalid_request", `${field}: ${wrong}.`, { fields: { [field]: wrong } });
}
