import type { Failure } from "@berth/protocol";
import { isProxmoxError } from "@berth/proxmox";

/** Whether trying again may help: never, for some minutes, or as long as it takes. */
export type Retry = boolean | "patiently";

/** A step failed for a reason that is known: what it is, and whether trying again may help. */
export class StepFailure extends Error {
  override readonly name = "StepFailure";
  readonly failure: Failure;
  readonly retry: Retry;

  constructor(failure: Failure, options: { retry: Retry; cause?: unknown }) {
    super(failure.message, { cause: options.cause });
    this.failure = failure;
    this.retry = options.retry;
  }
}

/** The step is not wanted any more: look again. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

/** What an error means for the sandbox whose step it ended. */
export interface Verdict {
  failure: Failure;
  /** How often the step is tried in all before the sandbox is called failed. */
  tries: number;
}

/** Proxmox away, restarting, or its certificate or token about to be mended: the sandbox waits as long as it takes. */
const patient = Number.POSITIVE_INFINITY;
/** Short-lived locks and storage queues: with the backoff about five minutes. */
const several = 30;
const few = 4;

/**
 * Judges the error of a step. With `hasContainer` it has a container, which somebody may have deleted or moved since it
 * was looked at: a call about that one finds nothing there, or, where the rights come from its pool, is forbidden. So
 * before the sandbox fails with such words another look tells what is true.
 */
export function judge(error: unknown, { hasContainer } = { hasContainer: false }): Verdict {
  if (error instanceof StepFailure) return { failure: error.failure, tries: triesOfStep(error.retry) };
  if (isProxmoxError(error)) {
    return {
      failure: { code: `proxmox_${error.kind}`, message: error.message, hint: `${error.hint} Then try again.` },
      tries: hasContainer && (error.kind === "forbidden" || error.kind === "missing") ? few : triesOf(error.kind),
    };
  }
  const message = error instanceof Error ? error.message : "unknown error";
  return {
    failure: {
      code: "internal",
      message: `Berth failed: ${message}`,
      hint: "See the controller's log; press Start to try again.",
    },
    tries: few,
  };
}

function triesOfStep(retry: Retry): number {
  if (retry === "patiently") return patient;
  return retry ? several : 1;
}

function triesOf(kind: string): number {
  switch (kind) {
    case "unreachable":
    case "certificate":
    case "unauthorized":
    case "node_offline":
      return patient;
    case "timeout":
    case "lock_timeout":
    case "locked":
    case "modified":
      return several;
    case "other":
    case "protocol":
      return few;
    default:
      return 1;
  }
}
