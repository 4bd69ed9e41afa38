import { Endpoint, type Network } from "./network.ts";
import type { SimulatedProcess } from "./process.ts";

/** One end of a Unix socket as `node:net` has it, as far as Berth uses that: bytes arrive in pieces of any length. */
export class SimulatedStream extends Endpoint {
  override readonly canFreeze = false;
  destroyed = false;
  #unread: Buffer[] = [];
  #connected = false;

  /** Dials as `connect` does; `accept` answers the process that listens, if any, and is given its end. */
  static dial(
    network: Network,
    dialler: SimulatedProcess,
    accept: (join: (listener: SimulatedProcess) => SimulatedStream) => boolean,
  ): SimulatedStream {
    const near = new SimulatedStream(network, dialler, true);
    const join = (listener: SimulatedProcess) => {
      const far = new SimulatedStream(network, listener, false);
      near.peer = far;
      far.peer = near;
      return far;
    };
    near.arrive({
      bytes: 0,
      local: true,
      deliver: () => {
        if (accept(join)) near.arrive({ bytes: 0, deliver: () => near.#connects() });
        else near.lost();
      },
    });
    return near;
  }

  cork(): void {}
  uncork(): void {}

  write(data: Uint8Array): boolean {
    const { peer } = this;
    if (this.destroyed || !(peer instanceof SimulatedStream)) return false;
    const bytes = Buffer.from(data);
    // Cut anywhere: a reader that takes one piece may see the end of one frame and the beginning of the next.
    const at = this.network.random.chance(0.2) ? this.network.random.integer(0, bytes.byteLength) : 0;
    for (const piece of [bytes.subarray(0, at), bytes.subarray(at)]) {
      if (piece.byteLength > 0) peer.arrive({ bytes: piece.byteLength, deliver: () => peer.#read(piece) });
    }
    return true;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.inbox.length = 0;
    this.arrive({ bytes: 0, local: true, deliver: () => this.lost() });
    const { peer } = this;
    if (!(peer instanceof SimulatedStream) || peer.gone) return;
    peer.loseTail();
    peer.arrive({ bytes: 0, deliver: () => peer.lost() });
  }

  protected override get holdsBack(): boolean {
    return false;
  }

  protected override lost(): void {
    if (this.gone) return;
    this.destroyed = true;
    this.leave();
    if (this.dials && !this.#connected) this.emit("error", new Error("nobody listens"));
    this.emit("close");
  }

  #connects(): void {
    this.#connected = true;
    this.emit("connect");
  }

  /** Joins what has come now and then, as a reader that was late does. */
  #read(piece: Buffer): void {
    this.#unread.push(piece);
    if (this.inbox.length > 0 && this.network.random.chance(0.3)) return;
    const bytes = Buffer.concat(this.#unread);
    this.#unread = [];
    if (!this.destroyed) this.emit("data", bytes);
  }
}
