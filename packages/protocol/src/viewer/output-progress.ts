/** Digested bytes after which an acknowledgement does not wait for the next frame. */
export const ackBatchBytes = 32 * 1024;

/** Where a position of the output is valid: each snapshot begins a new generation. */
export interface OutputMark {
  readonly generation: number;
  readonly offset: number;
}

/** Counts a terminal's output: what was received, what the screen has digested, what was acknowledged. */
export class OutputProgress {
  #generation = 0;
  #epoch: number | undefined;
  #received = 0;
  #digested = 0;
  #acked = 0;

  /** `<epoch>:<offset>`: where the received output ends; undefined before the first snapshot. */
  get from(): string | undefined {
    return this.#epoch === undefined ? undefined : `${this.#epoch}:${this.#received}`;
  }

  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** Bytes received since the start of the epoch. */
  get receivedOffset(): number {
    return this.#received;
  }

  /** Begins anew behind a snapshot that stands for all bytes below the offset. Answers the snapshot's own mark. */
  restart(epoch: number, offset: number): OutputMark {
    this.#generation += 1;
    this.#epoch = epoch;
    this.#received = offset;
    this.#digested = 0;
    this.#acked = 0;
    return { generation: this.#generation, offset };
  }

  /** Counts live bytes; answers the mark of their end. */
  receive(byteLength: number): OutputMark {
    this.#received += byteLength;
    return { generation: this.#generation, offset: this.#received };
  }

  /** The screen has digested everything up to the mark. Marks of an earlier generation say nothing any more. */
  digest(mark: OutputMark): void {
    if (mark.generation === this.#generation) this.#digested = Math.max(this.#digested, mark.offset);
  }

  /** A new connection: the server's window begins at the offset, so nothing below it is acknowledged. */
  connect(offset: number): void {
    // One less, so that the offset itself is acknowledged: the first acknowledgement turns flow control on.
    this.#acked = offset - 1;
  }

  /** Digested bytes that were not acknowledged. */
  get unackedBytes(): number {
    return Math.max(0, this.#digested - this.#acked);
  }

  /** The offset to acknowledge now, counted as acknowledged from here on; undefined if there is nothing new. */
  takeAck(): number | undefined {
    if (this.#digested <= this.#acked) return undefined;
    this.#acked = this.#digested;
    return this.#digested;
  }
}
