import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

const times = {
  /** After this long a close cuts what is still under way. */
  cutMs: 3_000,
  idleMs: 20,
} as const;

/**
 * Makes a close quick and orderly. The signal ends what lasts (streams, sockets), requests under way get some time, and
 * connections on which nothing is under way are closed as soon as that is so. Node itself looks for those only once,
 * and counts a connection that has not sent anything yet, as browsers open them in advance, as busy.
 */
export function closeOrderly(server: FastifyInstance, closing: AbortController): void {
  const { all, silent } = connectionsOf(server.server);
  server.addHook("preClose", async () => {
    closing.abort();
    for (const socket of silent) socket.destroy();
    const idle = setInterval(() => server.server.closeIdleConnections(), times.idleMs);
    const cut = setTimeout(() => {
      for (const socket of all) socket.destroy();
    }, times.cutMs);
    server.server.once("close", () => {
      clearInterval(idle);
      clearTimeout(cut);
    });
    // A server that never listened never closes.
    idle.unref();
    cut.unref();
  });
}

/**
 * A server's connections, and those of them that have not sent a request yet. Node's own count leaves out the upgraded
 * ones, so that an upgrade that was under way at the close, and that nobody answers any more, would hold it forever.
 */
function connectionsOf(server: Server): { all: ReadonlySet<Socket>; silent: ReadonlySet<Socket> } {
  const all = new Set<Socket>();
  const silent = new Set<Socket>();
  const heard = (request: IncomingMessage) => silent.delete(request.socket);
  server.on("connection", (socket) => {
    all.add(socket);
    silent.add(socket);
    socket.once("close", () => {
      all.delete(socket);
      silent.delete(socket);
    });
  });
  server.on("request", heard);
  server.on("upgrade", heard);
  return { all, silent };
}
