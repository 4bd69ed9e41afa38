import { EventEmitter } from "node:events";
import type { AttachSocket, SocketEvents } from "@berth/protocol/viewer";

/** What a viewer comes by: a WebSocket mostly. Frames of text are control, binary ones are the terminal's bytes. */
export interface ViewerSocket {
  /** Bytes that the viewer has not taken. */
  readonly bufferedAmount: number;
  readonly isPaused: boolean;
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): unknown;
  on(event: "error" | "ping" | "pong", listener: () => void): unknown;
  once(event: "close", listener: () => void): unknown;
  send(text: string): void;
  send(bytes: Uint8Array, options: { binary: true }, sent: () => void): void;
  pause(): void;
  resume(): void;
  ping(): void;
  close(code: number, reason?: string): void;
  terminate(): void;
}

/** The two ends of a viewer's connection within this process. What goes through it comes later, and in order. */
export class LocalViewerSocket extends EventEmitter implements ViewerSocket {
  readonly bufferedAmount = 0;
  readonly #events: SocketEvents;
  /** Frames from the viewer that wait while this is paused; bounded by what the viewer keeps of its input. */
  readonly #waiting: (string | Uint8Array)[] = [];
  #paused = false;
  #closed = false;

  constructor(events: SocketEvents) {
    super();
    this.#events = events;
  }

  /** The viewer's end. */
  readonly viewer: AttachSocket = {
    send: (data) => {
      this.#waiting.push(data);
      this.#later(() => this.#passOn());
    },
    close: () => this.#later(() => this.#end()),
  };

  get isPaused(): boolean {
    return this.#paused;
  }

  send(data: string | Uint8Array, _options?: { binary: true }, sent?: () => void): void {
    // The bytes are the sender's again after this call.
    const frame = typeof data === "string" ? data : Uint8Array.from(data).buffer;
    this.#later(() => {
      this.#events.onMessage(frame);
      sent?.();
    });
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#later(() => this.#passOn());
  }

  ping(): void {
    this.#later(() => this.emit("pong"));
  }

  close(code: number, reason = ""): void {
    this.#later(() => {
      this.#end();
      this.#events.onClose(code, reason);
    });
  }

  terminate(): void {
    this.close(1006);
  }

  #passOn(): void {
    while (!this.#paused && !this.#closed) {
      const data = this.#waiting.shift();
      if (data === undefined) return;
      this.emit("message", Buffer.from(data), typeof data !== "string");
    }
  }

  #end(): void {
    this.#closed = true;
    this.emit("close");
  }

  #later(what: () => void): void {
    queueMicrotask(() => {
      if (!this.#closed) what();
    });
  }
}
