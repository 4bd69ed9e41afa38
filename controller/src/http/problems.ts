import { BerthError, type ErrorCode, errorRegistry, type Problem } from "@berth/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Turns errors of other layers, such as a refused Proxmox call, into expected ones; undefined: not one of theirs. */
export type TranslateError = (error: unknown) => BerthError | undefined;

/** The expected error that an error stands for; undefined: a bug. */
export function expectedError(error: unknown, translate?: TranslateError): BerthError | undefined {
  if (error instanceof BerthError) return error;
  const translated = translate?.(error);
  if (translated) return translated;
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const known = Object.hasOwn(frameworkErrors, code) ? frameworkErrors[code] : undefined;
  if (known) return new BerthError(known[0], known[1], { cause: error });
  if (isDatabaseGone(code, error.message)) {
    return new BerthError("not_ready", "The database cannot be reached.", {
      hint: "Try again in a moment.",
      cause: error,
    });
  }
  // Whatever else Fastify and its plugins blame on the client; their messages say no more than the client sent.
  const status = "statusCode" in error ? error.statusCode : undefined;
  if (typeof status === "number" && status >= 400 && status < 500) {
    return new BerthError("invalid_request", error.message, { cause: error });
  }
  return undefined;
}

const frameworkErrors: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["unsupported_media_type", "Send the body as application/json."],
  FST_ERR_CTP_BODY_TOO_LARGE: ["payload_too_large", "The body is larger than this call takes."],
  FST_ERR_CTP_INVALID_JSON_BODY: ["invalid_request", "The body is not JSON."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["invalid_request", "The body is not as long as Content-Length says."],
  FST_ERR_BAD_URL: ["invalid_request", "The address is not a valid URL: check its percent-encoding."],
  FST_ERR_MAX_PARAM_LENGTH: ["not_found", "There is nothing of that name."],
};

/** PostgreSQL's SQLSTATE classes 08 and 57P, and what the driver and the system say. */
function isDatabaseGone(code: string, message: string): boolean {
  return (
    /^(08|57P0)/.test(code) ||
    ["ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(code) ||
    /^(Connection terminated|timeout exceeded when trying to connect)/.test(message)
  );
}

/** The problem document of an error. An unexpected one says nothing of itself but the request's id, for the log. */
export function problemOf(error: BerthError | undefined, requestId: string): Problem {
  const code = error?.code ?? "internal";
  const { status, title } = errorRegistry[code];
  const detail = error?.message ?? "This is a bug in Berth, or something on its machine is broken.";
  const hint = error ? error.hint : "The controller's log tells more under this request's id.";
  return {
    type: `urn:berth:problem:${code}`,
    title,
    status,
    code,
    detail,
    ...(hint === undefined ? {} : { hint }),
    ...(error?.fields ? { fields: { ...error.fields } } : {}),
    requestId,
  };
}

/** Answers an error as `application/problem+json`, and logs those that nobody expected. */
export function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  translate?: TranslateError,
): FastifyReply {
  const expected = expectedError(error, translate);
  if (!expected || expected.status >= 500) request.log.error({ err: error }, "request failed");
  const problem = problemOf(expected, request.id);
  if (problem.status === 401) reply.header("www-authenticate", 'Bearer realm="berth"');
  reply.headers({ "cache-control": "no-store", "x-request-id": request.id });
  return reply.code(problem.status).type("application/problem+json").send(JSON.stringify(problem));
}
