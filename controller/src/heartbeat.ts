import type { WebSocket } from "ws";

/** What of a socket this needs. */
export interface PingedSocket extends Pick<WebSocket, "isPaused" | "ping" | "terminate"> {
  on(event: "ping" | "pong" | "message", listener: () => void): unknown;
  once(event: "close", listener: () => void): unknown;
}

/** Into how many parts a beat of many sockets is cut, so that they are not all looked at in one moment. */
const parts = 10;

/**
 * Asks peers for a sign of life where none came of itself, and cuts a connection when nothing was heard for two and a
 * half beats: TCP alone may take hours to notice. A thousand agents that ping by themselves so need no pings back, and
 * one timer is enough for all of them: each of its own would wake the process. A socket that is paused hears nothing and
 * is left alone. The timer ends with the last socket.
 */
export class Heartbeats {
  readonly #everyMs: number;
  readonly #looks: readonly Set<() => void>[];
  #now = 0;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
    this.#looks = Array.from({ length: parts }, () => new Set());
  }

  /** Looks after a socket until it closes; first after a beat, or a tenth of it less. */
  watch(socket: PingedSocket): void {
    const look = lookAfter(socket, this.#everyMs);
    const looks = this.#looks[this.#now];
    looks?.add(look);
    this.#count += 1;
    this.#timer ??= setInterval(() => this.#beat(), this.#everyMs / parts);
    socket.once("close", () => {
      looks?.delete(look);
      this.#count -= 1;
      if (this.#count > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
  }

  #beat(): void {
    this.#now = (this.#now + 1) % parts;
    for (const look of this.#looks[this.#now] ?? []) look();
  }
}

/** The same for a single socket. */
export function watchHeartbeat(socket: PingedSocket, everyMs: number): void {
  const timer = setInterval(lookAfter(socket, everyMs), everyMs);
  socket.once("close", () => clearInterval(timer));
}

/** What is to be done at each beat. */
function lookAfter(socket: PingedSocket, everyMs: number): () => void {
  let heardAt = performance.now();
  const heard = () => {
    heardAt = performance.now();
  };
  socket.on("pong", heard);
  socket.on("ping", heard);
  socket.on("message", heard);
  return () => {
    const silentMs = performance.now() - heardAt;
    if (socket.isPaused) heard();
    else if (silentMs > 2.5 * everyMs) socket.terminate();
    // Not a whole beat: the answer to the last ping came a moment after it.
    else if (silentMs > 0.9 * everyMs) socket.ping();
  };
}
