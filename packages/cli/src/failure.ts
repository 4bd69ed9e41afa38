import { BerthError, type Failure } from "@berth/protocol";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";

/** An expected end of a command that is not a success: told in words, never as a stack. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly code: string;
  /** What to do about it, one sentence. */
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(exitCode: number, code: string, message: string, hint?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
    this.code = code;
    this.hint = hint;
  }
}

/** The arguments do not say what to do. */
export function wrongUsage(message: string, hint = "See berth --help."): CommandFailed {
  return new CommandFailed(exitCodes.usage, "usage", message, hint);
}

/** Something that was named is not there. */
export function notFound(message: string, hint?: string): CommandFailed {
  return new CommandFailed(exitCodes.notFound, "not_found", message, hint);
}

/** It does not fit the present state. */
export function conflict(code: string, message: string, hint?: string): CommandFailed {
  return new CommandFailed(exitCodes.conflict, code, message, hint);
}

/** Nobody answers. */
export function unreachable(message: string, hint: string, cause?: unknown): CommandFailed {
  return new CommandFailed(exitCodes.unreachable, "unreachable", message, hint, cause);
}

/** The user pressed Ctrl-C. */
export function interrupted(): CommandFailed {
  return new CommandFailed(exitCodes.interrupted, "interrupted", "Interrupted.");
}

export interface ToldFailure {
  readonly failure: Failure;
  readonly exitCode: number;
}

/** What to tell of an error, and how to end; undefined for a bug, which is to be seen whole. */
export function tell(error: unknown): ToldFailure | undefined {
  if (error instanceof CommandFailed) {
    return { failure: failure(error.code, error.message, error.hint), exitCode: error.exitCode };
  }
  if (error instanceof BerthError) {
    const fields = Object.entries(error.fields ?? {}).map(([field, wrong]) => `${field}: ${wrong}`);
    const message = fields.length > 0 ? `${error.message} ${fields.join("; ")}.` : error.message;
    return { failure: failure(error.code, message, error.hint ?? hintOf(error)), exitCode: exitCodeOf(error.code) };
  }
  return undefined;
}

function failure(code: string, message: string, hint: string | undefined): Failure {
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}

function hintOf({ code }: BerthError): string | undefined {
  return code === "unauthenticated" ? "Sign in with berth login URL." : undefined;
}
