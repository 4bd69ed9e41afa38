import type { FailureOf, ProxmoxFailure, ProxmoxFailureKind } from "./failure.ts";
import { describeFailure, hintFor } from "./sentences.ts";

/** The call that failed; fields are undefined where they do not apply. */
export interface FailedCall {
  readonly method?: string | undefined;
  /** The API path, such as `/nodes/pve1/lxc/150/clone`: no query, no parameters, no secrets. */
  readonly path?: string | undefined;
  /** HTTP status, once there was one. */
  readonly status?: number | undefined;
  /** HTTP reason phrase, in which Proxmox puts the text of its errors. */
  readonly reason?: string | undefined;
  /**
   * Whether the call may have changed something on the server although it failed. Always false for GET, and false
   * whenever nothing was sent or Proxmox refused. When true, look before doing it again.
   */
  readonly mayHaveActed?: boolean;
  readonly cause?: unknown;
}

/**
 * A failed call to Proxmox VE. `message` is a sentence for people, `hint` says what to do about it, `failure` is for
 * programs: `isProxmoxError(error, "locked") && error.failure.lock`.
 */
export class ProxmoxError<K extends ProxmoxFailureKind = ProxmoxFailureKind> extends Error {
  override readonly name = "ProxmoxError";
  readonly kind: K;
  readonly failure: FailureOf<K>;
  readonly hint: string;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly status: number | undefined;
  readonly reason: string | undefined;
  readonly mayHaveActed: boolean;

  constructor(failure: FailureOf<K> & { readonly kind: K }, call: FailedCall = {}) {
    super(describeFailure(failure, call), call.cause === undefined ? undefined : { cause: call.cause });
    this.kind = failure.kind;
    this.failure = failure;
    this.hint = hintFor(failure, call);
    this.method = call.method;
    this.path = call.path;
    this.status = call.status;
    this.reason = call.reason;
    this.mayHaveActed = call.mayHaveActed ?? false;
  }
}

/** Whether a caught value is a ProxmoxError, and of that kind where one is named. */
export function isProxmoxError<K extends ProxmoxFailureKind = ProxmoxFailureKind>(
  error: unknown,
  ...kinds: readonly K[]
): error is ProxmoxError<K> {
  if (!(error instanceof ProxmoxError)) return false;
  return kinds.length === 0 || kinds.some((kind) => kind === error.kind);
}

/** Makes the error of a failure whose kind is not known statically. */
export function proxmoxError(failure: ProxmoxFailure, call: FailedCall = {}): ProxmoxError {
  return new ProxmoxError(failure, call);
}
