import type { WebSocket } from "ws";

/**
 * Pings a peer, and cuts the connection when nothing was heard for two and a half pings: TCP alone may take hours to
 * notice. A socket that is paused hears nothing and is left alone. Ends with the socket.
 */
export function watchHeartbeat(socket: WebSocket, everyMs: number): void {
  let heardAt = performance.now();
  const heard = () => {
    heardAt = performance.now();
  };
  socket.on("pong", heard);
  socket.on("ping", heard);
  socket.on("message", heard);
  const timer = setInterval(() => {
    if (socket.isPaused) heard();
    else if (performance.now() - heardAt > 2.5 * everyMs) socket.terminate();
    else socket.ping();
  }, everyMs);
  socket.once("close", () => clearInterval(timer));
}
