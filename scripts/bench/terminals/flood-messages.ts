import Type, { type Static } from "typebox";

/** To the process of a flood's viewer. */
export const floodOrderSchema = Type.Union([
  Type.Object({
    kind: Type.Literal("open"),
    url: Type.String(),
    headers: Type.Record(Type.String(), Type.String()),
    /** Attaches to what floods already, instead of waiting for a program that waits for a key. */
    joins: Type.Boolean(),
  }),
  Type.Object({ kind: Type.Enum(["start", "interrupt", "stall", "go-on"]) }),
]);
export type FloodOrder = Static<typeof floodOrderSchema>;

/** From it. */
export const floodReportSchema = Type.Union([
  Type.Object({ kind: Type.Enum(["open", "started", "stopped", "stalled"]) }),
  /** So long after a stall ended the screen was at the terminal's present output. */
  Type.Object({ kind: Type.Literal("caught-up"), ms: Type.Number() }),
]);
export type FloodReport = Static<typeof floodReportSchema>;
