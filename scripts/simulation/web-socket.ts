import { Endpoint, type Network } from "./network.ts";
import type { SimulatedProcess } from "./process.ts";

type Sent = (error?: Error) => void;

/** One end of a WebSocket as the library `ws` has it, as far as Berth uses that: messages arrive whole or not at all. */
export class SimulatedWebSocket extends Endpoint {
  static readonly #states = { open: 1, closing: 2, closed: 3 } as const;
  readonly OPEN = SimulatedWebSocket.#states.open;
  override readonly canFreeze = true;
  readyState: number = SimulatedWebSocket.#states.open;
  binaryType = "nodebuffer";
  isPaused = false;
  /** The most that was ever under way from here, in bytes. */
  maxBufferedBytes = 0;

  /** Two joined ends. */
  static pair(
    network: Network,
    dialler: SimulatedProcess,
    listener: SimulatedProcess,
  ): { near: SimulatedWebSocket; far: SimulatedWebSocket } {
    const near = new SimulatedWebSocket(network, dialler, true);
    const far = new SimulatedWebSocket(network, listener, false);
    near.peer = far;
    far.peer = near;
    return { near, far };
  }

  get bufferedAmount(): number {
    return this.peer?.inboxBytes ?? 0;
  }

  send(data: string | Uint8Array, _options?: unknown, sent?: Sent): void {
    const { peer } = this;
    if (this.readyState !== this.OPEN || !(peer instanceof SimulatedWebSocket)) {
      if (sent) this.notice(() => sent(new Error("the socket is not open")));
      return;
    }
    const binary = typeof data !== "string";
    // What is sent is a copy, as in the kernel: the sender may use its memory again.
    const bytes = typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
    peer.arrive({
      bytes: bytes.byteLength,
      deliver: () => {
        if (sent) this.notice(() => sent());
        if (peer.readyState !== SimulatedWebSocket.#states.closed) peer.emit("message", bytes, binary);
      },
    });
    this.maxBufferedBytes = Math.max(this.maxBufferedBytes, peer.inboxBytes);
  }

  ping(): void {
    const { peer } = this;
    if (this.readyState !== this.OPEN || !(peer instanceof SimulatedWebSocket)) return;
    const pong = () => this.arrive({ bytes: 0, deliver: () => this.emit("pong") });
    peer.arrive({
      bytes: 0,
      deliver: () => {
        peer.emit("ping");
        if (peer.readyState === peer.OPEN) pong();
      },
    });
  }

  close(code = 1005, reason = ""): void {
    if (this.readyState !== this.OPEN) return;
    this.readyState = SimulatedWebSocket.#states.closing;
    const { peer } = this;
    if (peer instanceof SimulatedWebSocket) peer.arrive({ bytes: 0, deliver: () => peer.#peerCloses(code, reason) });
  }

  terminate(): void {
    if (this.readyState === SimulatedWebSocket.#states.closed) return;
    this.readyState = SimulatedWebSocket.#states.closed;
    this.inbox.length = 0;
    this.arrive({ bytes: 0, local: true, deliver: () => this.#end(1006, "") });
    const { peer } = this;
    if (!(peer instanceof SimulatedWebSocket) || peer.gone) return;
    peer.loseTail();
    peer.arrive({ bytes: 0, deliver: () => peer.lost() });
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  protected override get holdsBack(): boolean {
    return this.isPaused;
  }

  protected override lost(): void {
    this.#end(1006, "");
  }

  /** The peer has said goodbye: answers it, and is closed. */
  #peerCloses(code: number, reason: string): void {
    const { peer } = this;
    if (this.readyState === this.OPEN && peer instanceof SimulatedWebSocket) {
      peer.arrive({ bytes: 0, deliver: () => peer.#end(code, reason) });
    }
    this.#end(code, reason);
  }

  #end(code: number, reason: string): void {
    if (this.gone) return;
    this.readyState = SimulatedWebSocket.#states.closed;
    this.leave();
    this.emit("close", code, Buffer.from(reason));
  }
}
