/**
 * The last output of a terminal, addressed by its offset in bytes since the start of the epoch. Grows by doubling up to
 * its bound, then forgets the oldest.
 */
export class OutputRing {
  readonly #maxBytes: number;
  #bytes: Buffer<ArrayBuffer>;
  #startOffset: number;
  #endOffset: number;

  /** A ring that begins at `startOffset`. Sizes in bytes. */
  constructor(maxBytes: number, firstBytes: number, startOffset = 0) {
    this.#maxBytes = maxBytes;
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(firstBytes, maxBytes));
    this.#startOffset = startOffset;
    this.#endOffset = startOffset;
  }

  /** Offset of the oldest byte that is still here. */
  get startOffset(): number {
    return this.#startOffset;
  }

  /** Offset that the next byte will have. */
  get endOffset(): number {
    return this.#endOffset;
  }

  append(chunk: Uint8Array): void {
    const kept = chunk.byteLength > this.#maxBytes ? chunk.subarray(chunk.byteLength - this.#maxBytes) : chunk;
    if (kept !== chunk) {
      this.#endOffset += chunk.byteLength - kept.byteLength;
      this.#startOffset = this.#endOffset;
    }
    this.#grow(this.#endOffset - this.#startOffset + kept.byteLength);
    const capacity = this.#bytes.byteLength;
    const at = this.#endOffset % capacity;
    const head = Math.min(kept.byteLength, capacity - at);
    this.#bytes.set(kept.subarray(0, head), at);
    this.#bytes.set(kept.subarray(head), 0);
    this.#endOffset += kept.byteLength;
    this.#startOffset = Math.max(this.#startOffset, this.#endOffset - capacity);
  }

  /**
   * At most `maxBytes` from `offset` on, as a view that is valid until the next `append`; fewer where the ring wraps.
   * Empty at the end. Throws outside `startOffset`..`endOffset`.
   */
  read(offset: number, maxBytes: number): Uint8Array {
    if (offset < this.#startOffset || offset > this.#endOffset)
      throw new RangeError("the ring does not hold that offset");
    const at = offset % this.#bytes.byteLength;
    const length = Math.min(maxBytes, this.#endOffset - offset, this.#bytes.byteLength - at);
    return this.#bytes.subarray(at, at + length);
  }

  /** A copy of what lies in `from`..`to`. */
  copy(from: number, to: number): Buffer {
    const bytes = Buffer.allocUnsafe(to - from);
    for (let offset = from; offset < to; ) {
      const part = this.read(offset, to - offset);
      bytes.set(part, offset - from);
      offset += part.byteLength;
    }
    return bytes;
  }

  #grow(neededBytes: number): void {
    const capacity = this.#bytes.byteLength;
    if (neededBytes <= capacity || capacity >= this.#maxBytes) return;
    let larger = capacity;
    while (larger < neededBytes && larger < this.#maxBytes) larger = Math.min(larger * 2, this.#maxBytes);
    const held = this.#bytes;
    const next = Buffer.allocUnsafeSlow(larger);
    for (let offset = this.#startOffset; offset < this.#endOffset; ) {
      const part = this.read(offset, Math.min(this.#endOffset - offset, larger - (offset % larger)));
      next.set(part, offset % larger);
      offset += part.byteLength;
    }
    this.#bytes = next;
    // At once, not with the next collection: views of it are not valid any more.
    held.buffer.transfer(0);
  }
}
