import type { Clock } from "@berth/base";
import { apiPrefix, BerthError, type Readiness } from "@berth/protocol";
import cookie from "@fastify/cookie";
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Kysely } from "kysely";
import type { Registry } from "prom-client";
import type { Settings } from "../settings/settings.ts";
import type { Database } from "../store/tables.ts";
import { type Authenticate, checkAccess } from "./access.ts";
import { OwnAddress } from "./addresses.ts";
import type { Api } from "./api.ts";
import { boundBodies } from "./body-deadline.ts";
import { closeOrderly } from "./closing.ts";
import { serveConsole } from "./console.ts";
import { serveHealth } from "./health.ts";
import { Turns } from "./idempotency.ts";
import { serveMetrics } from "./metrics.ts";
import { serveOpenApi } from "./openapi.ts";
import { sendProblem, type TranslateError } from "./problems.ts";
import { addApiHeaders } from "./security-headers.ts";
import { unknownRoute } from "./unknown.ts";
import { addWebSockets } from "./websocket.ts";

export interface ServerDependencies {
  readonly settings: Pick<Settings, "host" | "publicUrl">;
  readonly db: Kysely<Database>;
  readonly clock: Clock;
  readonly logger: FastifyBaseLogger;
  readonly authenticate: Authenticate;
  /** What is served below `/api/v1`, one function a capability. */
  readonly routes: readonly ((api: Api) => void)[];
  readonly readiness: () => Promise<Readiness>;
  readonly version: string;
  /** The built console; without it the pages say how to build it. */
  readonly consoleDir?: string | undefined;
  readonly translateError?: TranslateError;
  /** Metrics of the program besides those of HTTP and of the process. */
  readonly registry?: Registry;
}

const limits = {
  bodyBytes: 1024 * 1024,
  /** A request, from its first byte to its last: that of an upload; others have to be quicker, see `boundBodies`. */
  requestMs: 15 * 60_000,
} as const;

/** The console's HTTP server, not yet listening. */
export async function buildServer(deps: ServerDependencies): Promise<FastifyInstance> {
  const address = new OwnAddress(deps.settings);
  const server = createServer(deps, address);
  const closing = new AbortController();
  closeOrderly(server, closing);
  server.decorateRequest("caller", null);
  await server.register(cookie);
  // Before the checks below, so that an upgrade that they refuse is known for one and its socket closed.
  await addWebSockets(server);
  boundBodies(server);
  server.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    requireOwnHost(request, address);
  });
  server.addHook("onResponse", async (request, reply) => logRequest(request, reply));
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, deps.translateError));

  serveHealth(server, deps.readiness);
  serveMetrics(server, deps.authenticate, deps.registry);
  await server.register((scope) => serveApi(scope, deps, address, closing.signal), { prefix: apiPrefix });
  await serveConsole(server, deps.consoleDir);
  return server;
}

function createServer(deps: ServerDependencies, address: OwnAddress): FastifyInstance {
  return fastify({
    loggerInstance: deps.logger,
    logController: new fastify.LogController({ disableRequestLogging: true }),
    genReqId: () => `req_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`,
    requestIdHeader: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    forceCloseConnections: "idle",
    exposeHeadRoutes: false,
    // Requests that the router cannot read meet no hook, and still get the same checks in the same order.
    frameworkErrors: (error, request, reply) => {
      // Nobody else closes the socket of an upgrade that is answered here.
      if (request.headers.upgrade !== undefined) reply.raw.once("finish", () => request.socket.end());
      void (async () => {
        requireOwnHost(request, address);
        if (isApi(request.url)) await checkAccess(request, deps.authenticate, address);
        throw error;
      })().catch((refusal: unknown) => sendProblem(refusal, request, reply, deps.translateError));
    },
  });
}

async function serveApi(
  scope: FastifyInstance,
  deps: ServerDependencies,
  address: OwnAddress,
  closing: AbortSignal,
): Promise<void> {
  const api: Api = {
    fastify: scope,
    db: deps.db,
    clock: deps.clock,
    address,
    mounted: [],
    turns: new Turns(),
    closing,
  };
  addApiHeaders(scope);
  scope.addHook("onRequest", (request) => checkAccess(request, deps.authenticate, address));
  acceptEmptyJson(scope);
  for (const routes of deps.routes) routes(api);
  serveOpenApi(api, deps.version);
  scope.setNotFoundHandler((request, reply) => unknownRoute(api.mounted, request, reply));
}

/** JSON bodies; an empty one counts as none, since many programs name the type even where they send nothing. */
function acceptEmptyJson(scope: FastifyInstance): void {
  const parse = scope.getDefaultJsonParser("error", "error");
  scope.removeContentTypeParser("text/plain");
  scope.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else parse(request, body.toString(), done);
  });
}

function requireOwnHost(request: FastifyRequest, address: OwnAddress): void {
  if (address.answersFor(request.headers.host, request.socket.localAddress)) return;
  throw new BerthError("misdirected_request", "This server does not answer for the host name in the request.", {
    hint: "Use the machine's address, or set BERTH_PUBLIC_URL to the name that people use.",
  });
}

function isApi(url: string): boolean {
  return url === apiPrefix || url.startsWith(`${apiPrefix}/`) || url.startsWith(`${apiPrefix}?`);
}

function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const line = {
    method: request.method,
    // The query may name what people look for; the path is enough to find the request.
    path: request.url.split("?", 1)[0],
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime),
  };
  if (reply.statusCode >= 400) request.log.info(line, "request refused");
  else request.log.debug(line, "request answered");
}
