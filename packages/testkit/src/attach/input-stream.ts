import { randomBytes } from "node:crypto";

/** Input by count: what the terminal has not acknowledged is kept, to be sent again after a reconnection. */
export class InputStream {
  /** The stream's random id. */
  readonly id: string;
  /** Offset of the first byte that is kept. */
  #acknowledged = 0;
  #kept: Buffer = Buffer.alloc(0);

  constructor(id = randomBytes(9).toString("base64url")) {
    this.id = id;
  }

  /** `<id>:<offset>`, as the attach call's query names it. */
  get query(): string {
    return `${this.id}:${this.#acknowledged}`;
  }

  /** How many bytes are known to be written. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** How many bytes are not known to be written. */
  get pendingBytes(): number {
    return this.#kept.length;
  }

  append(bytes: Buffer): void {
    this.#kept = Buffer.concat([this.#kept, bytes]);
  }

  /** The terminal has written everything before this offset. Answers what is left to send. */
  acknowledge(offset: number): Buffer {
    const end = this.#acknowledged + this.#kept.length;
    if (offset < this.#acknowledged || offset > end) {
      throw new Error(`input offset ${offset} is outside of ${this.#acknowledged} to ${end}`);
    }
    this.#kept = this.#kept.subarray(offset - this.#acknowledged);
    this.#acknowledged = offset;
    return this.#kept;
  }
}
