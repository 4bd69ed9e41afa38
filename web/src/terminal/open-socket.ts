import type { AttachSocket, SocketEvents } from "@berth/protocol/viewer";

/** A WebSocket to the page's own controller. */
export function openSocket(path: string, events: SocketEvents): AttachSocket {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => events.onMessage(data);
  socket.onclose = ({ code, reason }) => events.onClose(code, reason);
  return {
    // A socket that is closing drops what it is given, silently.
    send: (data) => socket.send(data),
    close: () => socket.close(),
  };
}
