/**
 * The floor's controller: `front.ts PEM`. Takes one link over TLS and one viewer, and passes their frames on. Tells its
 * ports on the standard output.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { argv } from "node:process";
import { type WebSocket, WebSocketServer } from "ws";

const pem = readFileSync(argv[2] ?? "");
const viewers = createServer();
const links = createTlsServer({ cert: pem, key: pem, minVersion: "TLSv1.3" });

function firstSocket(server: Server): Promise<WebSocket> {
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  return new Promise((resolve) => {
    sockets.once("connection", (socket) => {
      // What comes before the other side is there waits in the socket.
      socket.pause();
      resolve(socket);
    });
  });
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

function pass(from: WebSocket, to: WebSocket): void {
  from.on("message", (bytes) => to.send(bytes, { binary: true }));
  from.resume();
}

const sides = Promise.all([firstSocket(viewers), firstSocket(links)]);
const [viewerPort, linkPort] = await Promise.all([listen(viewers), listen(links)]);
process.stdout.write(`${JSON.stringify({ viewerPort, linkPort })}\n`);
const [viewer, link] = await sides;
pass(viewer, link);
pass(link, viewer);
