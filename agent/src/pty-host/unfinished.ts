/** More of a sequence than its beginning says nothing about what follows it: this keeps an endless one from growing. */
const maxBytes = 4096;
const escapeByte = 0x1b;
/** What begins a string behind an escape: DCS, SOS, OSC, PM, APC. */
const stringStarts = Buffer.from("PX]^_");
/** What ends one: BEL, CAN, SUB, and the escape of ST. */
const stringEnds: readonly number[] = [0x07, 0x18, 0x1a, escapeByte];
/** xterm keeps up to ten megabytes of a string, for each that handles it: this is as much as any of use has. */
const maxStringBytes = 256 * 1024;

/**
 * The beginning of a control sequence or a character whose end has not been written yet. A read of a PTY ends anywhere;
 * what continues it must find a terminal that has seen its beginning.
 */
export class UnfinishedOutput {
  #bytes: Uint8Array = new Uint8Array();
  /** How long the sequence is by now. */
  #sequenceBytes = 0;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** It is longer than what is kept of it. */
  get isCut(): boolean {
    return this.#sequenceBytes > maxBytes;
  }

  /** What is to be parsed of the next bytes: of a string that has grown past all use, its end alone. */
  bounded(bytes: Uint8Array): Uint8Array {
    const isString = stringStarts.includes(this.#bytes[1] ?? 0) && this.#bytes[0] === escapeByte;
    if (!isString || this.#sequenceBytes < maxStringBytes) return bytes;
    const end = bytes.findIndex((byte) => stringEnds.includes(byte));
    return end < 0 ? bytes.subarray(bytes.byteLength) : bytes.subarray(end);
  }

  /** These bytes were parsed, and left the parser within a sequence or not. */
  wrote(bytes: Uint8Array, inSequence: boolean): void {
    this.#sequenceBytes = inSequence ? this.#sequenceBytes + bytes.byteLength : 0;
    if (inSequence && bytes.includes(escapeByte))
      this.#sequenceBytes = bytes.byteLength - bytes.lastIndexOf(escapeByte);
    const kept = inSequence ? this.#sequence(bytes) : this.#character(bytes);
    this.#bytes = kept.byteLength > maxBytes ? Buffer.from(kept.subarray(0, maxBytes)) : kept;
  }

  /** A sequence begins at the last escape: within one there is none, but for the one that ends a string. */
  #sequence(bytes: Uint8Array): Uint8Array {
    const start = bytes.lastIndexOf(escapeByte);
    if (start < 0) return Buffer.concat([this.#bytes, bytes.subarray(0, maxBytes)]);
    return Buffer.from(bytes.subarray(start, start + maxBytes));
  }

  #character(bytes: Uint8Array): Uint8Array {
    // Only a character that was not finished before may go on here.
    const before = this.#bytes.byteLength < 4 && this.#bytes[0] !== escapeByte ? this.#bytes : Buffer.alloc(0);
    const tail = Buffer.concat([before, bytes.subarray(-3)]).subarray(-3);
    for (let length = 1; length <= tail.byteLength; length += 1) {
      const lead = tail[tail.byteLength - length] ?? 0;
      if (lead >= 0xc0) return sequenceBytes(lead) > length ? Buffer.from(tail.subarray(-length)) : Buffer.alloc(0);
      if (lead < 0x80) break;
    }
    return Buffer.alloc(0);
  }
}

/** How long a character of UTF-8 is, by its first byte. */
function sequenceBytes(lead: number): number {
  if (lead >= 0xf0) return 4;
  return lead >= 0xe0 ? 3 : 2;
}
