/** Output bytes of one epoch without a gap, from where they begin. */
export interface ByteRun {
  readonly epoch: number;
  /** Absolute offset of the first byte. */
  readonly start: number;
  readonly bytes: Buffer;
}

interface OpenRun {
  readonly epoch: number;
  readonly start: number;
  readonly chunks: Buffer[];
  length: number;
}

/** What an attach client has received, by absolute offsets: a new run begins wherever bytes were left out. */
export class ByteRecord {
  readonly #runs: OpenRun[] = [];

  /** Live bytes begin at this offset from now on. Continues the last run if it ends just there. */
  begin(epoch: number, offset: number): void {
    const last = this.#runs.at(-1);
    if (last && last.epoch === epoch && last.start + last.length === offset) return;
    this.#runs.push({ epoch, start: offset, chunks: [], length: 0 });
  }

  append(bytes: Buffer): void {
    const last = this.#last();
    last.chunks.push(bytes);
    last.length += bytes.length;
  }

  /** The epoch of the latest bytes. */
  get epoch(): number {
    return this.#last().epoch;
  }

  /** The absolute offset behind the latest byte. */
  get end(): number {
    const last = this.#last();
    return last.start + last.length;
  }

  get started(): boolean {
    return this.#runs.length > 0;
  }

  /** Every run, in the order of arrival. */
  get runs(): ByteRun[] {
    return this.#runs.map(({ epoch, start, chunks }) => ({ epoch, start, bytes: Buffer.concat(chunks) }));
  }

  /** All bytes from an absolute offset of the present epoch on; throws when some of them were left out. */
  since(offset: number): Buffer {
    const { start, chunks } = this.#last();
    if (offset < start || offset > this.end) {
      throw new Error(`bytes from ${offset} on are not all here: the last run is ${start} to ${this.end}`);
    }
    return Buffer.concat(chunks).subarray(offset - start);
  }

  #last(): OpenRun {
    const last = this.#runs.at(-1);
    if (!last) throw new Error("nothing is attached yet");
    return last;
  }
}
