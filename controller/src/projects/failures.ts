import { BerthError, type Failure } from "@berth/protocol";
import { SyncFailure } from "@berth/sync";
import { HostKeyMismatch } from "../bootstrap/connect.ts";
import { StepFailure } from "../sandboxes/failures.ts";
import { ProcessOutOfBounds } from "./bounded-process.ts";
import { GitFailed } from "./git.ts";
import { ScriptFailed } from "./sandbox-repository.ts";

/** Why a remote could not be used, and whether trying again may help; undefined: it was something else. */
export function remoteFailure(error: unknown): { failure: Failure; transient: boolean } | undefined {
  const reason = reasonOf(error);
  if (reason === undefined) return undefined;
  const words = error instanceof GitFailed ? error.complaints : reason;
  const known = causes.find(({ pattern }) => pattern.test(words));
  return {
    failure: {
      code: "remote_unavailable",
      message: `The git remote cannot be used: ${reason}.`,
      hint: known?.hint ?? "Look whether the URL is right, then try again.",
    },
    transient: known?.transient ?? false,
  };
}

const hostKeyRefused = /HOST IDENTIFICATION HAS CHANGED|Host key verification failed/;

const causes: readonly { pattern: RegExp; hint: string; transient: boolean }[] = [
  {
    pattern: /Host key verification failed/,
    hint: "Add the remote's host key to the known_hosts of whoever runs the controller (ssh-keyscan, and compare it), then try again.",
    transient: false,
  },
  {
    pattern:
      /Authentication failed|could not read (Username|Password)|Permission denied|terminal prompts disabled|\b40[13]\b/,
    hint: "Give the project a credential, or the controller a key (BERTH_GIT_SSH_KEY, BERTH_GIT_CREDENTIAL_HELPER); then try again.",
    transient: false,
  },
  {
    pattern: /certificate|SSL/,
    hint: "Have the controller's machine trust the authority that signed the remote's certificate, then try again.",
    transient: false,
  },
  {
    pattern:
      /Could not resolve|(Failed to|Couldn't|Could not) connect|timed out|Connection (refused|reset|closed)|unreachable|early EOF|hung up|\b50[0-9]\b/,
    hint: "Look whether the controller's machine reaches the remote, then try again.",
    transient: true,
  },
];

/** The same as the failure of a step in a sandbox's life. */
export function stepFailure(error: unknown): unknown {
  if (error instanceof StepFailure) return error;
  if (error instanceof BerthError) {
    const { code, message, hint } = error;
    return new StepFailure({ code, message, ...(hint === undefined ? {} : { hint }) }, { retry: false, cause: error });
  }
  const found = remoteFailure(error);
  return found ? new StepFailure(found.failure, { retry: found.transient, cause: error }) : error;
}

/** The same as the answer to a call. */
export function remoteError(error: unknown): unknown {
  const found = remoteFailure(error);
  if (!found) return error;
  const { message, hint } = found.failure;
  return new BerthError("remote_unavailable", message, { ...(hint === undefined ? {} : { hint }), cause: error });
}

/** What went wrong between controller and sandbox, as the answer to a call. */
export function sandboxError(error: unknown, name: string): unknown {
  if (isOtherHostKey(error)) {
    return new BerthError("sandbox_not_ready", `The sandbox "${name}" shows another SSH host key than was pinned.`, {
      hint: "Something else answers at its address, or its key was replaced: look before you connect to it.",
      cause: error,
    });
  }
  const reason = reasonOf(error);
  if (reason === undefined) return error;
  return new BerthError("sandbox_not_ready", `The repository in the sandbox "${name}" cannot be used: ${reason}.`, {
    hint: "Look whether the sandbox runs and what `git status` says in its workspace, then try again.",
    cause: error,
  });
}

function isOtherHostKey(error: unknown): boolean {
  if (error instanceof HostKeyMismatch) return true;
  if (error instanceof SyncFailure) return error.code === "host_key_mismatch";
  if (error instanceof GitFailed) return hostKeyRefused.test(error.complaints);
  return error instanceof ScriptFailed && hostKeyRefused.test(error.message);
}

function reasonOf(error: unknown): string | undefined {
  const told = [GitFailed, ScriptFailed, ProcessOutOfBounds, SyncFailure].some((kind) => error instanceof kind);
  return told && error instanceof Error ? error.message.replace(/\.$/, "").slice(0, 500) : undefined;
}
