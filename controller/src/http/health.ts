import type { Readiness } from "@berth/protocol";
import type { FastifyInstance } from "fastify";

/** `/healthz`: the process answers. `/readyz`: it can do its work; 503 with the reasons if not. */
export function serveHealth(server: FastifyInstance, readiness: () => Promise<Readiness>): void {
  // Some monitors ask by HEAD.
  server.get("/healthz", { exposeHeadRoute: true }, async (_, reply) => {
    reply.header("cache-control", "no-store");
    return { ok: true };
  });
  server.get("/readyz", { exposeHeadRoute: true }, async (_, reply) => {
    const state = await readiness();
    return reply
      .header("cache-control", "no-store")
      .code(state.ready ? 200 : 503)
      .send(state);
  });
}
