import type { WebSocket } from "ws";

/** What may wait in a socket before its source is held, in bytes. */
export const maxWaitingBytes = 1024 * 1024;

/** What can be held. */
interface Source {
  pause(): void;
  resume(): void;
}

/** Answers a function that sends what the source gives; while too much waits in the socket, the source is held. */
export function pacedSend(source: Source, to: WebSocket): (bytes: Uint8Array | string) => void {
  let held = false;
  const sent = () => {
    if (!held || to.bufferedAmount > maxWaitingBytes / 2) return;
    held = false;
    source.resume();
  };
  return (bytes) => {
    to.send(bytes, { binary: true }, sent);
    if (held || to.bufferedAmount <= maxWaitingBytes) return;
    held = true;
    source.pause();
  };
}
