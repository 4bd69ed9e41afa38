import { parseServerMessage, type ServerMessage } from "@berth/protocol";
import { WebSocket } from "ws";
import type { Address } from "./address.ts";
import { Digestion } from "./digestion.ts";
import { readyWord } from "./programs.ts";

const timeoutMs = 20_000;

export interface MeasuringViewerOptions {
  /** How fast its screen takes output, in bytes a millisecond; as fast as it comes by default. */
  readonly digestsBytesPerMs?: number;
  /** Every frame of output as it comes, and when the screen has digested it (`performance.now()`). */
  onOutput?(bytes: Buffer, digestedAtMs: number): void;
  /** A snapshot and the offset behind it. */
  onSnapshot?(bytes: Buffer, offset: number): void;
}

/**
 * A viewer that holds up nothing that it measures. On Berth's side it speaks the attach protocol and acknowledges what
 * its screen has digested, as the console does; a bare relay sends output only, and is told nothing.
 */
export class MeasuringViewer {
  readonly #socket: WebSocket;
  readonly #options: MeasuringViewerOptions;
  readonly #digestion: Digestion;
  #attached: Extract<ServerMessage, { type: "attached" }> | undefined;
  /** Offset behind the snapshot that comes next. */
  #snapshotOffset: number | undefined;
  #offset = 0;
  #failed: ((error: Error) => void) | undefined;

  /** Begins to connect. */
  constructor({ url, headers }: Address, options: MeasuringViewerOptions = {}) {
    this.#options = options;
    this.#socket = new WebSocket(url, { headers, perMessageDeflate: false, skipUTF8Validation: true });
    this.#digestion = new Digestion(options.digestsBytesPerMs, (offset) => {
      if (this.#attached && this.#socket.readyState === WebSocket.OPEN) {
        this.#socket.send(JSON.stringify({ type: "ack", offset }));
      }
    });
    this.#socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#receive(data);
      else this.#receiveMessage(data.toString());
    });
    const fail = (why: string) => this.#failed?.(new Error(`${url.pathname} ${why}`));
    this.#socket.on("error", (error) => fail(error.message));
    this.#socket.on("close", (code) => fail(`closed with ${code}`));
  }

  /** Connects, and waits until the program waits for a key. */
  static async ready(address: Address, options: MeasuringViewerOptions = {}): Promise<MeasuringViewer> {
    let seen = "";
    const greeted = Promise.withResolvers<void>();
    let looking = true;
    const look = (bytes: Buffer) => {
      if (!looking) return;
      seen += bytes.toString("latin1");
      if (seen.includes(readyWord)) greeted.resolve();
    };
    const viewer = new MeasuringViewer(address, {
      ...options,
      onOutput: (bytes, atMs) => (looking ? look(bytes) : options.onOutput?.(bytes, atMs)),
      onSnapshot: (bytes, offset) => {
        look(bytes);
        options.onSnapshot?.(bytes, offset);
      },
    });
    await viewer.until(greeted.promise, "the program's greeting");
    looking = false;
    return viewer;
  }

  /** What the server said first; undefined on a bare relay. */
  get attached(): Extract<ServerMessage, { type: "attached" }> | undefined {
    return this.#attached;
  }

  /** Offset behind the output that has come. */
  get offset(): number {
    return this.#offset;
  }

  send(bytes: Uint8Array | string): void {
    this.#socket.send(bytes, { binary: true });
  }

  /** Takes nothing any more that arrives. */
  stall(): void {
    this.#socket.pause();
  }

  goOn(): void {
    this.#socket.resume();
  }

  /** What was promised, or an error when the connection ends or too much time passes. */
  until<T>(promised: Promise<T>, what: string, boundMs = timeoutMs): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${what} did not come within ${boundMs} ms`)), boundMs);
      this.#failed = reject;
      promised.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  close(): void {
    this.#failed = undefined;
    this.#digestion.stop();
    this.#socket.terminate();
  }

  #receive(bytes: Buffer): void {
    if (this.#snapshotOffset !== undefined) {
      this.#offset = this.#snapshotOffset;
      this.#snapshotOffset = undefined;
      this.#digestion.begin(this.#offset);
      this.#options.onSnapshot?.(bytes, this.#offset);
      return;
    }
    this.#offset += bytes.byteLength;
    this.#options.onOutput?.(bytes, this.#digestion.take(bytes.byteLength));
  }

  #receiveMessage(text: string): void {
    const message = parseServerMessage(text);
    if (message?.type === "attached") {
      this.#attached = message;
      this.#offset = message.offset;
      this.#digestion.begin(message.offset);
      if (message.mode === "snapshot") this.#snapshotOffset = message.offset;
    } else if (message?.type === "resync") this.#snapshotOffset = message.offset;
  }
}
