import type { ServerResponse } from "node:http";
import { ApiError, AuthenticationError } from "./api-error.ts";
import { PlainTextError } from "./parse-request.ts";
import { Page } from "./route.ts";

const json = "application/json;charset=UTF-8";

/** An answer, ready to be sent. */
export interface Answer {
  readonly status: number;
  /** The reason phrase carries the text of an error. */
  readonly reason: string;
  readonly contentType?: string;
  readonly body: string;
}

/** The answer of a handler that came to its end. */
export function answerOf(result: unknown): Answer {
  const content =
    result instanceof Page
      ? { data: result.data, ...(result.total > 0 ? { total: result.total } : {}) }
      : { data: result ?? null };
  return { status: 200, reason: "OK", contentType: json, body: JSON.stringify(content) };
}

/** The answer of an error. What is no `ApiError` is a failure of a handler, which PVE answers with 500 and its text. */
export function answerOfError(error: unknown): Answer {
  if (error instanceof AuthenticationError) return { status: 401, reason: error.message, body: "" };
  if (error instanceof PlainTextError) {
    return { status: error.status, reason: error.message, contentType: "text/plain", body: `${error.message}\n` };
  }
  const known =
    error instanceof ApiError ? error : ApiError.died(error instanceof Error ? error.message : String(error));
  // What PVE's own proxy says of another host has no body.
  if (known.status >= 595) return { status: known.status, reason: known.message, body: "" };
  // Only this one 401 has a body: the sign-in's own.
  const content = { data: null, message: `${known.message}\n`, ...(known.errors ? { errors: known.errors } : {}) };
  return { status: known.status, reason: known.message, contentType: json, body: JSON.stringify(content) };
}

/** Sends an answer with the headers that PVE sends. */
export function sendAnswer(response: ServerResponse, answer: Answer): void {
  sendHead(response, answer);
  response.end(answer.body);
}

/** Sends the head and half of the body, and then drops the connection. */
export function sendHalf(response: ServerResponse, answer: Answer): void {
  sendHead(response, answer);
  const half = answer.body.slice(0, Math.floor(answer.body.length / 2));
  // Only once it has gone out: what is still in the socket would be dropped with it.
  response.write(half, () => response.socket?.destroy());
}

function sendHead(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, reasonPhrase(answer.reason), {
    "Cache-Control": "max-age=0",
    Pragma: "no-cache",
    Server: "pve-api-daemon/3.0",
    ...(answer.contentType === undefined ? {} : { "Content-Type": answer.contentType }),
    "Content-Length": Buffer.byteLength(answer.body),
  });
}

/** A reason phrase is one line of Latin-1 at most. */
function reasonPhrase(text: string): string {
  return (text.split("\n")[0] ?? "").replace(/[^\t\x20-\x7e\x80-\xff]/g, "?");
}
