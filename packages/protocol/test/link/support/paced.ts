import type { Channel } from "../../../src/link/index.ts";

/** Sends a text of bytes piece by piece, as far as there is credit. */
export class PacedSender {
  readonly #channel: Channel;
  readonly #bytes: Uint8Array;
  #sentBytes = 0;

  constructor(channel: Channel, bytes: Uint8Array) {
    this.#channel = channel;
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#sentBytes === this.#bytes.byteLength;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Sends a piece of up to so many bytes; answers false when there is no credit, or nothing left. */
  send(sizeBytes: number): boolean {
    if (this.done || this.#channel.creditBytes <= 0) return false;
    const piece = this.#bytes.subarray(this.#sentBytes, this.#sentBytes + Math.max(1, sizeBytes));
    this.#channel.send(piece);
    this.#sentBytes += piece.byteLength;
    return true;
  }
}

/** Collects what arrives, and consumes it when it is told to. */
export class PacedReceiver {
  readonly #channel: Channel;
  readonly #pieces: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.handle({
      onData: (payload) => {
        // The payload is valid only during the call.
        this.#pieces.push(payload.slice());
        this.#heldBytes += payload.byteLength;
      },
    });
  }

  /** Bytes that came and are not consumed. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  get received(): Uint8Array {
    return Buffer.concat(this.#pieces);
  }

  /** Consumes up to so many bytes; answers whether there were any. */
  consume(bytes = Number.POSITIVE_INFINITY): boolean {
    const consumed = Math.min(bytes, this.#heldBytes);
    this.#heldBytes -= consumed;
    if (consumed > 0) this.#channel.consumed(consumed);
    return consumed > 0;
  }
}

/** Bytes in which every stretch differs from the next: an exchange or a loss is seen. */
export function distinctBytes(lengthBytes: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let state = (seed + 1) * 2654435761;
  for (let index = 0; index < lengthBytes; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
