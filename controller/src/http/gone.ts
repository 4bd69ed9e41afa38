import type { FastifyReply } from "fastify";

/** Aborts when the client has gone. */
export function goneOf(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort(new Error("the caller has gone")));
  if (reply.raw.destroyed) gone.abort(new Error("the caller has gone"));
  return gone.signal;
}
