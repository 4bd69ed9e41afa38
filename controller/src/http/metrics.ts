import { BerthError } from "@berth/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { collectDefaultMetrics, Histogram, Registry } from "prom-client";
import { type Authenticate, identify } from "./access.ts";
import { isLoopback } from "./addresses.ts";

/** `/metrics` for Prometheus: of the process, of HTTP, and what the registry was given besides. */
export function serveMetrics(server: FastifyInstance, authenticate: Authenticate, given?: Registry): void {
  const registry = given ?? new Registry();
  collectDefaultMetrics({ register: registry });
  const durations = new Histogram({
    name: "berth_http_request_duration_seconds",
    help: "Time from a request's head to the end of its answer",
    labelNames: ["method", "route", "status"],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  server.addHook("onResponse", async (request, reply) => {
    // The pattern and not the path: a label may not have as many values as there are ids.
    const route = request.routeOptions.url ?? "unknown";
    durations.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
  });
  server.get("/metrics", async (request, reply) => {
    if (!isLocal(request) && !(await identify(request, authenticate))) {
      throw new BerthError("unauthenticated", "Read the metrics on the machine itself, or with an API token.");
    }
    return reply.type(registry.contentType).send(await registry.metrics());
  });
  server.addHook("onClose", async () => registry.clear());
}

/** A proxy on the same machine speaks for others. */
function isLocal(request: FastifyRequest): boolean {
  const forwarded = request.headers["x-forwarded-for"] ?? request.headers.forwarded;
  return forwarded === undefined && isLoopback(request.socket.remoteAddress ?? "");
}
