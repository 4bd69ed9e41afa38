import { apiPrefix, BerthError, type Route } from "@berth/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Answers a call that no route takes: 405 with `Allow` where another method would do, and 404. */
export async function unknownRoute(
  mounted: readonly Route[],
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<never> {
  const path = request.url.split("?", 1)[0]?.slice(apiPrefix.length) ?? "";
  const methods = mounted.filter((route) => matches(route.path, path)).map((route) => route.method);
  if (methods.length === 0) throw new BerthError("not_found", "There is no such call.");
  const allow = [...new Set(methods)].sort().join(", ");
  reply.header("allow", allow);
  throw new BerthError("method_not_allowed", `This address takes ${allow} and not ${request.method}.`);
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => (part.startsWith(":") ? given[i] !== "" : part === given[i]))
  );
}
