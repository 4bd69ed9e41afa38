import Type, { type Static } from "typebox";

const reason = Type.Optional(Type.String({ maxLength: 1000 }));
const when = Type.Union([Type.Literal("before"), Type.Literal("after")]);
const ms = Type.Integer({ minimum: 0, maximum: 600_000 });

/** What goes wrong with a task that a call starts. */
export const taskFaultSchema = Type.Object({
  kind: Type.Literal("task"),
  /**
   * `fail`: it ends with `reason` as its exit status. `kill`: its worker is gone, cleans nothing up and leaves its
   * locks; the exit status is `unexpected status`. `endless`: it runs until it is stopped, or released.
   */
  end: Type.Union([Type.Literal("fail"), Type.Literal("kill"), Type.Literal("endless")]),
  /** Before it did its work, which is the default, or after. */
  when: Type.Optional(when),
  reason,
});

export const faultSchema = Type.Union([
  /** Answers with this status as Proxmox does, without handling the call. */
  Type.Object({ kind: Type.Literal("status"), status: Type.Integer({ minimum: 400, maximum: 599 }), reason }),
  /** Never answers: before the call is handled, which is the default, or after it had its effect. */
  Type.Object({ kind: Type.Literal("hang"), when: Type.Optional(when) }),
  /** Handles the call so many milliseconds late, whether or not its caller still waits. */
  Type.Object({ kind: Type.Literal("late"), ms }),
  /** Drops the connection: before the call is handled, after it had its effect, or in the middle of the answer. */
  Type.Object({ kind: Type.Literal("cut"), when: Type.Union([when, Type.Literal("body")]) }),
  /** Keeps the call, or its answer, until the rule is released; a call whose caller is gone by then is not handled. */
  Type.Object({ kind: Type.Literal("hold"), when }),
  /** Answers as it would have answered so long ago: the same caller's same call, if it was made since the rule is. */
  Type.Object({ kind: Type.Literal("stale"), ms }),
  taskFaultSchema,
]);
/** Something that goes wrong with a call. */
export type Fault = Static<typeof faultSchema>;

/** What `POST /_faults` takes: which calls, what happens to them, and how often. */
export const faultRuleSchema = Type.Object(
  {
    method: Type.Optional(Type.String({ pattern: "^[A-Z]+$" })),
    /** Regular expression on the path and query, `/api2/json` included. */
    path: Type.String({ minLength: 1, maxLength: 1000 }),
    /** Only calls of this user, `user@realm` or `user@realm!token`. */
    caller: Type.Optional(Type.String()),
    fault: faultSchema,
    /** How many calls that fit are let through first. */
    skip: Type.Optional(Type.Integer({ minimum: 0 })),
    /** How many calls it befalls; without it, all of them. */
    times: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
);
export type FaultRule = Static<typeof faultRuleSchema>;
