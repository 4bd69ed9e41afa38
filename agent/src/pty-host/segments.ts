import { constants } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";
import { limits } from "./limits.ts";
import { type OutputTimes, recordingNowMs } from "./recording/times.ts";
import { encodeTimes, type TimesEnd, type TimesRecord } from "./recording/times-file.ts";

/** A piece of a terminal's output on disk. */
export interface Segment {
  readonly epoch: number;
  /** Of its first byte, in the epoch. */
  readonly offset: number;
  readonly bytes: number;
  /** How much there is of the file with its times; 0: it is not recorded, or goes on as the one before it. */
  readonly timesBytes: number;
  /** When its last byte came, in milliseconds since 1970. */
  readonly lastMs: number;
}

interface OwnSegment extends Segment {
  bytes: number;
  timesBytes: number;
  lastMs: number;
  /** Undefined for what an earlier host wrote: nothing is appended to that. */
  timesEnd: TimesEnd | undefined;
}

/**
 * A terminal's output on disk, oldest first: `<epoch>-<offset>.ring` has the bytes, and `<epoch>-<offset>.times` when they
 * came, where the terminal is recorded. Files are only appended to, and deleted whole. One writer at a time; the oldest
 * may be dropped meanwhile.
 */
export class Segments {
  readonly #folder: string;
  #all: OwnSegment[] = [];
  /** Undefined until it is asked for after a change. */
  #diskBytes: number | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Takes what is there of these files of the folder. */
  async open(names: readonly string[]): Promise<void> {
    const found = await Promise.all(names.map((name) => this.#segmentOf(name)));
    this.#all = found
      .filter((segment) => segment !== undefined)
      .sort((one, other) => one.epoch - other.epoch || one.offset - other.offset);
    const known = new Set(this.#all.map(timesName));
    const stray = names.filter((name) => name.endsWith(".times") && !known.has(name));
    await Promise.all(stray.map((name) => this.#delete(name)));
  }

  get all(): readonly Segment[] {
    return this.#all;
  }

  /** What all of it takes on disk, in bytes. */
  get diskBytes(): number {
    this.#diskBytes ??= this.#all.reduce((sum, segment) => sum + diskBytes(segment), 0);
    return this.#diskBytes;
  }

  /** Where the epoch's output ends on disk. */
  endOffset(epoch: number): number {
    const last = this.#lastOf(epoch);
    return last ? endOf(last) : 0;
  }

  /** The epoch's segments that lie without a gap up to its end. */
  unbroken(epoch: number): readonly Segment[] {
    const segments = this.#all.filter((segment) => segment.epoch === epoch);
    const first = segments.findLastIndex((segment, index) => {
      const before = segments[index - 1];
      return !before || endOf(before) !== segment.offset;
    });
    return first < 0 ? [] : segments.slice(first);
  }

  /** The bytes of a segment. Rejects with ENOENT if it was dropped. */
  async readBytes(segment: Segment): Promise<Buffer> {
    return this.#read(ringName(segment), segment.bytes);
  }

  /** The times of a segment, empty if it has none. Rejects with ENOENT if it was dropped. */
  async readTimes(segment: Segment): Promise<Buffer> {
    return segment.timesBytes === 0 ? Buffer.alloc(0) : this.#read(timesName(segment), segment.timesBytes);
  }

  /** Adds output behind what is there, or behind a gap. */
  async append(epoch: number, offset: number, bytes: Buffer): Promise<void> {
    const last = this.#lastOf(epoch);
    if (
      last?.timesEnd &&
      endOf(last) === offset &&
      last.bytes < limits.segmentBytes &&
      last.timesBytes < limits.segmentTimesBytes
    ) {
      await this.#writeAt(ringName(last), bytes, last.bytes);
      last.bytes += bytes.byteLength;
      this.#diskBytes = undefined;
      return;
    }
    const end = { offset, atMs: 0 };
    const segment = { epoch, offset, bytes: bytes.byteLength, timesBytes: 0, lastMs: recordingNowMs(), timesEnd: end };
    await this.#writeAt(ringName(segment), bytes, 0);
    this.#all.push(segment);
    this.#diskBytes = undefined;
  }

  /** Writes the times of what was appended. */
  async appendTimes(epoch: number, times: OutputTimes): Promise<void> {
    const segments = this.#all.filter((segment) => segment.epoch === epoch && endOf(segment) > times.fromOffset);
    const last = segments.at(-1);
    if (!last) return;
    const events = times.upTo(endOf(last));
    let at = 0;
    for (const segment of segments) {
      const from = at;
      while (at < events.length && (segment === last || (events[at]?.offset ?? 0) < endOf(segment))) at += 1;
      const own = events.slice(from, at);
      const { atMs, size } = times.before;
      const base = { kind: "base", offset: Math.max(segment.offset, times.fromOffset), atMs, size } as const;
      await this.#writeTimes(segment, segment.timesBytes === 0 ? [base, ...own] : own);
      times.wrote(own);
    }
  }

  /** Deletes segments that are not wanted. */
  async delete(isUnwanted: (segment: Segment) => boolean): Promise<void> {
    const unwanted = this.#all.filter((segment) => isUnwanted(segment));
    if (unwanted.length === 0) return;
    this.#all = this.#all.filter((segment) => !unwanted.includes(segment));
    this.#diskBytes = undefined;
    await Promise.all(
      unwanted.flatMap((segment) => [ringName(segment), timesName(segment)]).map((name) => this.#delete(name)),
    );
  }

  /** Deletes what the ring of the newest epoch does not need. */
  async deleteBeyondRing(): Promise<void> {
    const spare = new Set<Segment>(this.#all.filter((segment) => !this.isOfRing(segment)));
    await this.delete((segment) => spare.has(segment));
  }

  /** Deletes all times: nothing of this is recorded any more. */
  async deleteTimes(): Promise<void> {
    const timed = this.#all.filter((segment) => segment.timesBytes > 0);
    this.#diskBytes = undefined;
    for (const segment of timed) {
      segment.timesBytes = 0;
      segment.timesEnd = { offset: segment.offset, atMs: 0 };
    }
    await Promise.all(timed.map((segment) => this.#delete(timesName(segment))));
  }

  /** The oldest that the ring of the newest epoch does not need. */
  get oldestSpare(): Segment | undefined {
    const [oldest] = this.#all;
    return oldest && !this.isOfRing(oldest) ? oldest : undefined;
  }

  /** Whether a terminal that is read from disk would have this in its ring. */
  isOfRing(segment: Segment): boolean {
    const newest = this.#all.at(-1);
    return newest?.epoch === segment.epoch && endOf(segment) > endOf(newest) - limits.ringBytes;
  }

  /** The folder is gone. */
  forget(): void {
    this.#all = [];
    this.#diskBytes = undefined;
  }

  #lastOf(epoch: number): OwnSegment | undefined {
    return this.#all.findLast((segment) => segment.epoch === epoch);
  }

  async #writeTimes(segment: OwnSegment, records: readonly TimesRecord[]): Promise<void> {
    const last = records.at(-1);
    if (!last || !segment.timesEnd || !this.#all.includes(segment)) return;
    const { bytes, end } = encodeTimes(records, segment.timesEnd);
    await this.#writeAt(timesName(segment), bytes, segment.timesBytes);
    segment.timesBytes += bytes.byteLength;
    this.#diskBytes = undefined;
    segment.timesEnd = end;
    segment.lastMs = last.atMs;
  }

  async #read(name: string, bytes: number): Promise<Buffer> {
    // Programs of the sandbox could have made the file longer.
    const wanted = Buffer.allocUnsafe(Math.min(bytes, maxFileBytes));
    const file = await open(join(this.#folder, name), constants.O_RDONLY);
    try {
      let length = 0;
      while (length < wanted.byteLength) {
        const { bytesRead } = await file.read(wanted, length, wanted.byteLength - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return wanted.subarray(0, length);
    } finally {
      await file.close();
    }
  }

  /** At a position, so that what a full disk cut short is repaired by the next attempt. */
  async #writeAt(name: string, bytes: Buffer, position: number): Promise<void> {
    const file = await open(join(this.#folder, name), constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      for (let at = 0; at < bytes.byteLength; ) {
        at += (await file.write(bytes, at, bytes.byteLength - at, position + at)).bytesWritten;
      }
    } finally {
      await file.close();
    }
  }

  async #delete(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true });
  }

  async #segmentOf(name: string): Promise<OwnSegment | undefined> {
    const match = /^([0-9]{1,15})-([0-9]{1,15})\.ring$/.exec(name);
    if (!match) return undefined;
    const key = { epoch: Number(match[1]), offset: Number(match[2]) };
    const { size, mtimeMs } = await stat(join(this.#folder, name));
    const timesBytes = await sizeIfExists(join(this.#folder, timesName(key)));
    return { ...key, bytes: size, timesBytes, lastMs: Math.floor(mtimeMs), timesEnd: undefined };
  }
}

/** A segment is no longer: one that is full takes one portion more. */
const maxFileBytes = 2 * limits.segmentBytes;

/** Offset of the byte behind a segment. */
export function endOf({ offset, bytes }: Pick<Segment, "offset" | "bytes">): number {
  return offset + bytes;
}

/** What a segment takes on disk, in bytes. */
export function diskBytes({ bytes, timesBytes }: Pick<Segment, "bytes" | "timesBytes">): number {
  const times = timesBytes === 0 ? 0 : Math.max(limits.diskBlockBytes, timesBytes);
  return Math.max(limits.diskBlockBytes, bytes) + times;
}

function ringName({ epoch, offset }: Pick<Segment, "epoch" | "offset">): string {
  return `${epoch}-${offset}.ring`;
}

function timesName({ epoch, offset }: Pick<Segment, "epoch" | "offset">): string {
  return `${epoch}-${offset}.times`;
}

async function sizeIfExists(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return 0;
    throw error;
  }
}
