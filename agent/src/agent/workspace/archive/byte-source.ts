/** Bytes that come in chunks of any size, taken in portions of the taker's. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes, which stay the next ones: so many, or fewer at the end. */
  async peek(bytes: number): Promise<Buffer> {
    const next = await this.take(bytes);
    this.#held = Buffer.concat([next, this.#held]);
    return next;
  }

  /** So many bytes, or fewer at the end. */
  async take(bytes: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let missing = bytes; missing > 0; ) {
      const part = await this.some(missing);
      if (part.length === 0) break;
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** At least one byte and at most so many; none at the end. */
  async some(bytes: number): Promise<Buffer> {
    while (this.#held.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done) return Buffer.alloc(0);
      this.#held = value;
    }
    const part = this.#held.subarray(0, bytes);
    this.#held = this.#held.subarray(part.length);
    return part;
  }
}
