import { BerthError, type ErrorCode, type Failure } from "@berth/protocol";
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

/** The arguments do not say what to do. Without a hint the command's own help is named. */
export function wrongUsage(message: string, hint?: string): CommandFailed {
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

/**
 * What to tell of an error of a command (`berth keys rm`: `keys rm`), and how to end; undefined for a bug, which is to be
 * seen whole.
 */
export function tell(error: unknown, command = ""): ToldFailure | undefined {
  if (error instanceof CommandFailed) {
    const hint = error.hint ?? (error.code === "usage" ? helpOf(command) : undefined);
    return { failure: failure(error.code, error.message, hint), exitCode: error.exitCode };
  }
  if (error instanceof BerthError) {
    // The first of them is mostly the message itself; of limits, all are in it.
    const fields = Object.entries(error.code === "limit_exceeded" ? {} : (error.fields ?? {}))
      .map(([field, wrong]) => `${field}: ${wrong}`)
      .filter((field) => !error.message.includes(field));
    const message = fields.length > 0 ? `${error.message} ${fields.join("; ")}.` : error.message;
    const hint = error.hint ?? hintOf(error.code, command);
    return { failure: failure(error.code, message, hint), exitCode: exitCodeOf(error.code) };
  }
  return undefined;
}

function failure(code: string, message: string, hint: string | undefined): Failure {
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}

/** Where to look for what is there, by command; the sandboxes for all others. */
const lists: Readonly<Record<string, string>> = {
  attach: "berth ls lists sandboxes, berth ls SANDBOX its terminals.",
  cancel: "berth logs SANDBOX lists what was done with one.",
  claude: "berth ls lists sandboxes.",
  diff: "berth ls lists sandboxes; berth diff SANDBOX FOLDER is of a repository below the workspace.",
  keys: "berth keys lists them.",
  kept: "berth kept lists it.",
  logs: "berth ls lists sandboxes, berth logs SANDBOX what was done with one.",
  rollback: "berth ls lists sandboxes, berth snapshot SANDBOX its snapshots.",
  snapshot: "berth ls lists sandboxes, berth snapshot SANDBOX its snapshots.",
  fork: "berth ls lists sandboxes, berth snapshot SANDBOX its snapshots.",
  tokens: "berth tokens lists them.",
};

/** What to do about an error where the controller does not say it. */
function hintOf(code: ErrorCode, command: string): string | undefined {
  switch (code) {
    case "unauthenticated":
      return "Sign in with berth login URL.";
    case "not_found":
      return lists[command.split(" ")[0] ?? ""] ?? "berth ls lists sandboxes.";
    case "invalid_request":
      return helpOf(command);
    case "proxmox_unavailable":
    case "not_ready":
      return "berth doctor says what is wrong.";
    default:
      return undefined;
  }
}

/** Where a command explains itself. */
function helpOf(command: string): string {
  return `See berth ${command === "" ? "" : `${command} `}--help.`;
}
