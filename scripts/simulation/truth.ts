/** One record of output: its number, so that any piece of output tells where it belongs. */
const recordBytes = 16;

/** What the program of an epoch has written at most until now: the same in every world. */
const written: Buffer[] = [];

/** What a program writes: a line of 16 bytes for each record, in which the epoch and the record's number stand. */
export function programOutput(epoch: number, offset: number, bytes: number): Buffer {
  let all = written[epoch] ?? Buffer.alloc(0);
  if (all.byteLength < offset + bytes) {
    const records = Math.ceil((2 * (offset + bytes)) / recordBytes);
    all = Buffer.from(Array.from({ length: records }, (_, number) => recordAt(epoch, number)).join(""));
    written[epoch] = all;
  }
  return all.subarray(offset, offset + bytes);
}

function recordAt(epoch: number, number: number): string {
  return `r${epoch}.${String(number).padStart(11, "0")}\r\n`;
}

/** Control sequences, as far as snapshots have them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what it is about.
const sequences = /\x1b(?:\][^\x1b\x07]*(?:\x07|\x1b\\)|\[[\d;?<=>:]*[ -/]*[@-~]|[()][0B]|[^[\]()])/g;

/** What is before the cursor, printed once more at the very end for a combining mark to join. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape is what is looked for.
const reprinted = /\x1b\[\d+;\d+H(?:\x1b\[1P)?[^\x1b]$/u;

/** What one life of a terminal has put out: what the PTY host says first in a later life, then the program's bytes. */
export class EpochTruth {
  readonly epoch: number;
  /** Bytes that the PTY host itself put before the program's. */
  readonly prefaceBytes: number;
  /** Bytes of the program so far. */
  writtenBytes = 0;
  /** Where it ended, of what a PTY host that died had brought to disk. */
  keptOffset: number | undefined;

  constructor(epoch: number, prefaceBytes: number) {
    this.epoch = epoch;
    this.prefaceBytes = prefaceBytes;
  }

  /** Everything that was ever put out in this life. */
  get allBytes(): number {
    return this.prefaceBytes + this.writtenBytes;
  }

  get endOffset(): number {
    return this.keptOffset ?? this.allBytes;
  }

  /** Whether these are the bytes from `offset` on; what the PTY host says by itself is not looked at. */
  has(offset: number, bytes: Buffer): boolean {
    if (offset + bytes.byteLength > this.allBytes) return false;
    const own = bytes.subarray(Math.max(0, this.prefaceBytes - offset));
    const from = Math.max(0, offset - this.prefaceBytes);
    return programOutput(this.epoch, from, own.byteLength).equals(own);
  }

  /**
   * What is wrong with a snapshot that claims to stand for everything below `offset`; undefined if nothing is. Its last
   * record must be the one that ends there, and those before it must follow one another. What a PTY host that died had
   * brought to disk may begin just there.
   */
  faultOfSnapshot(snapshot: string, offset: number, mayBeEmpty: boolean): string | undefined {
    const programOffset = offset - this.prefaceBytes;
    if (programOffset < 0) return undefined;
    const lines = snapshot.replace(reprinted, "").replace(sequences, "").split(/\r?\n/);
    const own = lines.filter((line) => line.startsWith(`r${this.epoch}.`)).map((line) => line.trimEnd());
    if (mayBeEmpty && own.length === 0) return undefined;
    const whole = Math.floor(programOffset / recordBytes);
    const rest = Math.min(programOffset % recordBytes, recordBytes - 2);
    const partial = recordAt(this.epoch, whole).slice(0, rest);
    const last = partial.length >= `r${this.epoch}.`.length ? partial : undefined;
    const expected = last ?? (whole > 0 ? recordAt(this.epoch, whole - 1).trimEnd() : undefined);
    if (own.at(-1) !== expected) return `ends with ${own.at(-1)} instead of ${expected}`;
    for (const [index, line] of own.slice(0, last ? -1 : undefined).entries()) {
      const next = own[index + 1];
      if (line.length !== recordBytes - 2) return `has the broken record ${line}`;
      if (next && next.length === line.length && Number(next.slice(3)) !== Number(line.slice(3)) + 1)
        return `has ${next} behind ${line}`;
    }
    return undefined;
  }
}
