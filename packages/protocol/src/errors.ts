import Type, { type Static } from "typebox";

/**
 * The expected errors of the outside contract: code → HTTP status and title. The code is stable, the title is for
 * people, and what happened in particular goes into the problem's `detail`.
 */
export const errorRegistry = {
  unauthenticated: { status: 401, title: "Sign in first" },
  forbidden: { status: 403, title: "Not allowed" },
  not_found: { status: 404, title: "No such thing" },
  method_not_allowed: { status: 405, title: "That cannot be done here" },
  invalid_request: { status: 400, title: "The request is not valid" },
  payload_too_large: { status: 413, title: "The request is too large" },
  unsupported_media_type: { status: 415, title: "The content type is not supported" },
  range_not_satisfiable: { status: 416, title: "The file has no such part" },
  misdirected_request: { status: 421, title: "This server does not answer for that host name" },
  idempotency_key_reused: { status: 422, title: "The idempotency key was used for another request" },
  name_taken: { status: 409, title: "The name is taken" },
  conflict: { status: 409, title: "The request does not fit the present state" },
  protected: { status: 409, title: "It is protected" },
  unsaved_work: { status: 409, title: "Unsaved work would be lost" },
  push_rejected: { status: 409, title: "The git remote refused the push" },
  remote_unavailable: { status: 502, title: "The git remote cannot be reached or used" },
  sandbox_not_ready: { status: 409, title: "The sandbox is not ready" },
  limit_exceeded: { status: 429, title: "A limit is reached" },
  setup_required: { status: 403, title: "Set the admin's password first" },
  setup_link_invalid: { status: 403, title: "The set-up link is used, expired or wrong" },
  insufficient_storage: { status: 507, title: "No space is left" },
  share_expired: { status: 403, title: "The link has expired" },
  share_revoked: { status: 403, title: "The link was withdrawn" },
  proxmox_unavailable: { status: 503, title: "Proxmox cannot be reached or used" },
  not_ready: { status: 503, title: "The controller is not ready" },
  internal: { status: 500, title: "Something went wrong in Berth" },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof errorRegistry;

/** Whether it is a code of the registry: a failure that is kept may have another one. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorRegistry, code);
}

/** An expected error: it reaches the client as a problem with this code. Bugs throw other errors. */
export class BerthError extends Error {
  override readonly name = "BerthError";
  readonly code: ErrorCode;
  /** What to do about it, one sentence. */
  readonly hint: string | undefined;
  /** Field → what is wrong with it, for `invalid_request`; limit → its numbers, for `limit_exceeded`. */
  readonly fields: Readonly<Record<string, string>> | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    more: { hint?: string; fields?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint;
    this.fields = more.fields;
  }

  get status(): number {
    return errorRegistry[this.code].status;
  }
}

/** The body of an error answer, `application/problem+json` (RFC 9457). */
export const problemSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String(),
  detail: Type.String(),
  hint: Type.Optional(Type.String()),
  fields: Type.Optional(Type.Record(Type.String(), Type.String())),
  requestId: Type.Optional(Type.String()),
});
export type Problem = Static<typeof problemSchema>;

/** Why something failed, as it is kept with a sandbox or an operation. */
export const failureSchema = Type.Object({
  code: Type.String(),
  /** The cause, one sentence. */
  message: Type.String(),
  /** The cure, one sentence. */
  hint: Type.Optional(Type.String()),
});
export type Failure = Static<typeof failureSchema>;
