import { attachLimits } from "@berth/protocol";
import type { Size } from "../size.ts";
import type { TimedEvent } from "./times.ts";

/**
 * The times of a segment, as bytes that are only appended to. Each record is a row of numbers, each number in groups of
 * seven bits, the lowest first, the eighth bit set on all but the last: four times the distance in bytes from the record
 * before, plus the kind; then the distance in milliseconds, and what the kind has beside. A file begins with a `base`,
 * which has the time since 1970 and the size, so that it can be read when those before it are gone.
 */
const kinds = { base: 0, output: 1, resize: 2, exit: 3 } as const;

/** Output from `offset` on came at this time, on a screen of this size. */
export interface TimesBase {
  readonly kind: "base";
  readonly offset: number;
  readonly atMs: number;
  readonly size: Size;
}
export type TimesRecord = TimesBase | TimedEvent;

/** Where the last record of a file stands: the next one counts from there. */
export interface TimesEnd {
  readonly offset: number;
  readonly atMs: number;
}

/** Records as bytes behind `end`. Times and offsets that run backwards are held. */
export function encodeTimes(records: readonly TimesRecord[], end: TimesEnd): { bytes: Buffer; end: TimesEnd } {
  const bytes: number[] = [];
  let { offset, atMs } = end;
  for (const record of records) {
    putNumber(bytes, Math.max(0, record.offset - offset) * 4 + kinds[record.kind]);
    putNumber(bytes, record.kind === "base" ? record.atMs : Math.max(0, record.atMs - atMs));
    if (record.kind === "exit") putNumber(bytes, record.status);
    if (record.kind === "base" || record.kind === "resize") {
      putNumber(bytes, record.size.cols);
      putNumber(bytes, record.size.rows);
    }
    offset = Math.max(offset, record.offset);
    atMs = record.kind === "base" ? record.atMs : Math.max(atMs, record.atMs);
  }
  return { bytes: Buffer.from(bytes), end: { offset, atMs } };
}

/**
 * The records of a file, whose first one counts from the segment's offset. Ends where the file is cut off or makes no
 * sense: programs of the sandbox can write to it.
 */
export function* decodeTimes(file: Uint8Array, segmentOffset: number): Generator<TimesRecord> {
  const numbers = new NumberReader(file);
  let offset = segmentOffset;
  let atMs = 0;
  for (;;) {
    const head = numbers.next();
    const time = numbers.next();
    if (head === undefined || time === undefined) return;
    offset += Math.floor(head / 4);
    atMs = head % 4 === kinds.base ? time : atMs + time;
    if (!Number.isSafeInteger(offset) || atMs > latestMs) return;
    const record = recordOf(head % 4, { offset, atMs }, numbers);
    if (!record) return;
    yield record;
  }
}

/** The year 5138: a time that a file may have. */
const latestMs = 1e14;

function recordOf(kind: number, at: TimesEnd, numbers: NumberReader): TimesRecord | undefined {
  if (kind === kinds.output) return { kind: "output", ...at };
  if (kind === kinds.exit) {
    const status = numbers.next();
    return status === undefined || status > 255 ? undefined : { kind: "exit", ...at, status };
  }
  const cols = numbers.next() ?? 0;
  const rows = numbers.next() ?? 0;
  if (cols < 1 || rows < 1 || cols > attachLimits.maxCols || rows > attachLimits.maxRows) return undefined;
  return { kind: kind === kinds.base ? "base" : "resize", ...at, size: { cols, rows } };
}

function putNumber(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
}

class NumberReader {
  readonly #file: Uint8Array;
  #at = 0;

  constructor(file: Uint8Array) {
    this.#file = file;
  }

  /** The next number; undefined at the end, or if it is none. */
  next(): number | undefined {
    let value = 0;
    for (let factor = 1; factor < Number.MAX_SAFE_INTEGER; factor *= 128) {
      const byte = this.#file[this.#at++];
      if (byte === undefined) return undefined;
      value += (byte % 128) * factor;
      if (byte < 128) return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
    }
    return undefined;
  }
}
