import type { WebSocket } from "ws";

/** What of a socket this needs. */
export interface PingedSocket extends Pick<WebSocket, "isPaused" | "ping" | "terminate"> {
  on(event: "ping" | "pong" | "message", listener: () => void): unknown;
  once(event: "close", listener: () => void): unknown;
}

/**
 * Asks a peer for a sign of life where none came of itself, and cuts the connection when nothing was heard for two and a
 * half beats: TCP alone may take hours to notice. A thousand agents that ping by themselves so need no pings back. A
 * socket that is paused hears nothing and is left alone. Ends with the socket.
 */
export function watchHeartbeat(socket: PingedSocket, everyMs: number): void {
  let heardAt = performance.now();
  const heard = () => {
    heardAt = performance.now();
  };
  socket.on("pong", heard);
  socket.on("ping", heard);
  socket.on("message", heard);
  const timer = setInterval(() => {
    const silentMs = performance.now() - heardAt;
    if (socket.isPaused) heard();
    else if (silentMs > 2.5 * everyMs) socket.terminate();
    // Not a whole beat: the answer to the last ping came a moment after it.
    else if (silentMs > 0.9 * everyMs) socket.ping();
  }, everyMs);
  socket.once("close", () => clearInterval(timer));
}
