import type { Static, TSchema } from "typebox";
import Type from "typebox";
import { Compile } from "typebox/compile";
import { proxmoxError } from "./error.ts";

/** Checks one kind of answer; see `answerOf`. */
export type AnswerReader<T> = (data: unknown, call: AnsweredCall) => T;

/** The call whose answer is read, for the error's sake. */
export interface AnsweredCall {
  readonly method: string;
  readonly path: string;
}

/**
 * A reader that answers data of the schema's type, or throws a ProxmoxError of kind `protocol` that names the first
 * field at fault. Fields that the schema does not name are let through: newer servers say more.
 */
export function answerOf<S extends TSchema>(schema: S): AnswerReader<Static<S>> {
  const validator = Compile(schema);
  return (data, call) => {
    if (validator.Check(data)) return data;
    const [first] = validator.Errors(data);
    const where = first?.instancePath ? ` at ${first.instancePath}` : "";
    throw proxmoxError(
      { kind: "protocol", detail: `unexpected answer${where}: ${first?.message ?? "of another shape"}` },
      { ...call, status: 200, mayHaveActed: call.method !== "GET" },
    );
  };
}

/** A number; some PVE endpoints and versions write it as a string. */
export const NumberLike = Type.Union([Type.Number(), Type.String({ pattern: "^-?[0-9]+(\\.[0-9]+)?$" })]);

/** A boolean as PVE writes it: mostly 1 or 0. */
export const Flag = Type.Union([
  Type.Literal(0),
  Type.Literal(1),
  Type.Literal("0"),
  Type.Literal("1"),
  Type.Literal(""),
  Type.Boolean(),
]);

/** The number that was meant. */
export function numberOf(value: number | string): number {
  return Number(value);
}

/** The number that was meant, or undefined. */
export function optionalNumber(value: number | string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** The boolean that was meant; an absent one is false. */
export function flagOf(value: Static<typeof Flag> | undefined): boolean {
  return value === true || value === 1 || value === "1";
}

/** A task's id, as every call that starts a task answers. */
export const readUpid = answerOf(Type.String({ pattern: "^UPID:[^:]+:" }));
