import { randomUUID } from "node:crypto";
import Type, { type Static } from "typebox";

const faultSchema = Type.Union([
  /** Answers with this status, without handling the call. */
  Type.Object({
    kind: Type.Literal("status"),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    reason: Type.Optional(Type.String({ maxLength: 1000 })),
  }),
  /** Never answers; the call is not handled. */
  Type.Object({ kind: Type.Literal("hang") }),
  /** Handles the call so many milliseconds late. */
  Type.Object({ kind: Type.Literal("late"), ms: Type.Integer({ minimum: 0, maximum: 600_000 }) }),
  /** Drops the connection, before the call is handled or after it had its effect. */
  Type.Object({ kind: Type.Literal("cut"), when: Type.Union([Type.Literal("before"), Type.Literal("after")]) }),
]);
/** Something that goes wrong with a call. */
export type Fault = Static<typeof faultSchema>;

/** What `POST /_faults` takes: which calls, what happens to them, and how often. */
export const faultRuleSchema = Type.Object(
  {
    method: Type.Optional(Type.String({ pattern: "^[A-Z]+$" })),
    /** Regular expression on the path and query, `/api2/json` included. */
    path: Type.String({ minLength: 1, maxLength: 1000 }),
    fault: faultSchema,
    /** How many calls it befalls; without it, all of them. */
    times: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
);
export type FaultRule = Static<typeof faultRuleSchema>;

interface ActiveRule {
  readonly id: string;
  readonly rule: FaultRule;
  readonly pattern: RegExp;
  /** Calls that it befell. */
  hits: number;
}

/** The faults that were asked for. They live in memory only: a restart is free of them. */
export class FaultRules {
  #rules: ActiveRule[] = [];

  /** Adds a rule behind the others and answers its id. Throws a SyntaxError when the path is no regular expression. */
  add(rule: FaultRule): string {
    const id = randomUUID();
    this.#rules.push({ id, rule, pattern: new RegExp(rule.path), hits: 0 });
    return id;
  }

  list(): (FaultRule & { id: string; hits: number })[] {
    return this.#rules.map(({ id, rule, hits }) => ({ id, ...rule, hits }));
  }

  clear(): void {
    this.#rules = [];
  }

  /** The fault that befalls this call: of the first rule that fits and is not used up. */
  take(method: string, target: string): Fault | undefined {
    const fits = ({ rule, pattern, hits }: ActiveRule) =>
      (rule.method === undefined || rule.method === method) &&
      (rule.times === undefined || hits < rule.times) &&
      pattern.test(target);
    const found = this.#rules.find(fits);
    if (found) found.hits += 1;
    return found?.rule.fault;
  }
}
