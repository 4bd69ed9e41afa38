/**
 * The floor's controller: `front.ts COUNT [PEM]`. For each terminal it takes one link and one viewer, told apart by
 * their path, and passes their frames on. Links come over TLS if there is a certificate. Tells its ports on the standard
 * output.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { argv } from "node:process";
import { type WebSocket, WebSocketServer } from "ws";
import { pacedSend } from "./paced-send.ts";

const [count = "1", pemPath] = argv.slice(2);
const pem = pemPath === undefined ? undefined : readFileSync(pemPath);
const viewers = createServer();
const links = pem ? createTlsServer({ cert: pem, key: pem, minVersion: "TLSv1.3" }) : createServer();

/** The socket of each terminal. */
function sockets(server: Server): Promise<WebSocket>[] {
  const waiting = Array.from({ length: Number(count) }, () => Promise.withResolvers<WebSocket>());
  new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket, request) => {
    // What comes before the other side is there waits in the socket.
    socket.pause();
    waiting[Number(request.url?.slice(1))]?.resolve(socket);
  });
  return waiting.map(({ promise }) => promise);
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

function pass(from: WebSocket, to: WebSocket): void {
  const send = pacedSend(from, to);
  from.on("message", (bytes: Buffer) => send(bytes));
  from.resume();
}

const viewerSockets = sockets(viewers);
const linkSockets = sockets(links);
const [viewerPort, linkPort] = await Promise.all([listen(viewers), listen(links)]);
process.stdout.write(`${JSON.stringify({ viewerPort, linkPort })}\n`);
for (const [index, waiting] of viewerSockets.entries()) {
  void Promise.all([waiting, linkSockets[index]]).then(([viewer, link]) => {
    if (!link) return;
    pass(viewer, link);
    pass(link, viewer);
  });
}
