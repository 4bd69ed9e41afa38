/** Typed bytes that may wait for their acknowledgement; beyond it typing is refused. */
export const inputBufferBytes = 1024 * 1024;

/**
 * One counted stream of typed bytes. It keeps each byte until the server says that it was written to the PTY, so that
 * after a cut the rest can be sent again, once and in order.
 */
export class InputStream {
  /** Names the stream to the PTY host, which counts its bytes. */
  readonly id: string;
  /** The bytes from `#written` on, in order. */
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #written = 0;
  #end = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Bytes that are known to be written to the PTY. */
  get writtenOffset(): number {
    return this.#written;
  }

  /** Bytes that are not known to be written. */
  get pendingBytes(): number {
    return this.#end - this.#written;
  }

  /** Takes typed bytes, all or none; false if the buffer is full. */
  push(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (this.pendingBytes + bytes.length > inputBufferBytes) return false;
    this.#chunks.push(bytes);
    this.#end += bytes.length;
    return true;
  }

  /**
   * Forgets what was written: everything below the offset. False if the server's count cannot be of this stream: below
   * what it had confirmed, or beyond what was typed.
   */
  confirm(offset: number): boolean {
    if (offset < this.#written || offset > this.#end) return false;
    let excess = offset - this.#written;
    while (excess > 0) {
      const first = this.#chunks.shift();
      if (!first) break;
      if (first.length > excess) this.#chunks.unshift(first.subarray(excess));
      excess -= Math.min(excess, first.length);
    }
    this.#written = offset;
    return true;
  }

  /** What is to be sent again after a reconnect: all that is not known to be written. */
  pending(): readonly Uint8Array<ArrayBuffer>[] {
    return this.#chunks;
  }
}
