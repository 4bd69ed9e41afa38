import { attachLimits, BerthError, type Route } from "@berth/protocol";
import websocket from "@fastify/websocket";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { WebSocket } from "ws";
import type { Api } from "./api.ts";
import { inputOf, type MountedInput } from "./mount.ts";
import { inputValidator } from "./validation.ts";

export interface WebSocketHandlers<R extends Route, T> {
  /** Runs before the upgrade, so a `BerthError` from here is a plain HTTP answer. What it answers goes to `connected`. */
  authorise(input: MountedInput<R>): Promise<T>;
  connected(socket: WebSocket, context: T): void;
}

/** How long a peer may take to answer the close of a server that goes away, in milliseconds. */
const goodbyeMs = 1_000;

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route takes upgrades. */
    takesUpgrades?: boolean;
  }
}

/** Takes WebSocket upgrades through the same hooks as any request. */
export async function addWebSockets(server: FastifyInstance): Promise<void> {
  await server.register(websocket, {
    options: { maxPayload: attachLimits.clientFrameBytes, perMessageDeflate: false },
    errorHandler: (error, socket, request) => {
      request.log.debug({ err: error }, "a WebSocket failed");
      socket.terminate();
    },
    preClose(this: FastifyInstance, done: () => void) {
      for (const client of this.websocketServer.clients) {
        // 1012: the service restarts; clients come back.
        client.close(1012);
        setTimeout(() => client.terminate(), goodbyeMs).unref();
      }
      this.websocketServer.close(() => done());
    },
  });
  // The plugin would upgrade on any route, and then close.
  server.addHook("preHandler", async (request) => {
    if (request.ws && !request.is404 && !request.routeOptions.config.takesUpgrades) {
      throw new BerthError("invalid_request", "There is no WebSocket at this address.");
    }
  });
}

/**
 * Serves a WebSocket. Host, caller, `Origin` (where a cookie signs in), input and `authorise` are checked in this order
 * before the upgrade, and each refusal is an HTTP answer.
 */
export function mountWebSocket<R extends Route, T>(api: Api, route: R, handlers: WebSocketHandlers<R, T>): void {
  const validate = inputValidator(route);
  const contexts = new WeakMap<FastifyRequest, { context: T }>();
  api.mounted.push(route);
  api.fastify.route({
    method: "GET",
    url: route.path,
    config: { access: route.access, takesUpgrades: true },
    preHandler: async (request, reply) => {
      const input = inputOf(route, validate, request, reply);
      if (!request.ws) {
        reply.headers({ upgrade: "websocket", connection: "upgrade" });
        throw new BerthError("invalid_request", "This call is a WebSocket: send it with an upgrade.");
      }
      contexts.set(request, { context: await handlers.authorise(input) });
    },
    handler: async () => undefined,
    wsHandler: (socket, request) => {
      const authorised = contexts.get(request);
      if (authorised) handlers.connected(socket, authorised.context);
      else socket.terminate();
    },
  });
}
