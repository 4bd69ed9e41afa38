import { constants } from "node:os";
import { isErrno } from "@berth/base/node";
import type { TerminalExit } from "@berth/protocol";
import { endOf, type Segment, type Segments } from "../segments.ts";
import type { Size } from "../size.ts";
import type { TerminalMeta } from "../store.ts";
import { decodeTimes, type TimesBase } from "./times-file.ts";

/** What is on disk of a terminal's recording at one moment. It goes on meanwhile, and its oldest may be dropped. */
export interface RecordingSource {
  readonly segments: Pick<Segments, "readBytes" | "readTimes">;
  /** Oldest first, as long as they were at that moment. */
  readonly parts: readonly Segment[];
  readonly meta: Pick<TerminalMeta, "epoch" | "exit" | "lost" | "cols" | "rows" | "title">;
}

/** What a recording tells, in order. Times may run backwards from one epoch to the next. */
export type RecordedEvent =
  /** The terminal has this size, and it is this time. Comes first. */
  | { readonly kind: "size"; readonly atMs: number; readonly size: Size }
  | { readonly kind: "output"; readonly atMs: number; readonly bytes: Uint8Array }
  /** The terminal's program was started, in a later epoch than the one before. */
  | { readonly kind: "epoch"; readonly epoch: number }
  /** So many bytes of output are not there; `head`: they were kept once, and are the first of all. */
  | { readonly kind: "missing"; readonly bytes: number; readonly head: boolean }
  | { readonly kind: "exit"; readonly atMs: number; readonly status: number };

interface Place {
  epoch: number;
  offset: number;
  atMs: number;
  size: Size;
}

/** Reads what was recorded. A part that was dropped meanwhile is missing, like one that was never written. */
export async function* recordedEvents({ segments, parts }: RecordingSource): AsyncGenerator<RecordedEvent> {
  let place: Place | undefined;
  for (const part of parts) {
    const files = await readFiles(segments, part);
    if (files) place = yield* partEvents(part, files, place);
  }
}

interface PartFiles {
  bytes: Uint8Array;
  times: Uint8Array;
}

async function readFiles(segments: RecordingSource["segments"], part: Segment): Promise<PartFiles | undefined> {
  try {
    return { times: await segments.readTimes(part), bytes: await segments.readBytes(part) };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** The events of one segment, behind `before`; answers where it ends, or `before` if it was not recorded. */
function* partEvents(
  { epoch, offset }: Segment,
  { bytes, times }: PartFiles,
  before: Place | undefined,
): Generator<RecordedEvent, Place | undefined> {
  const records = [...decodeTimes(times, offset)];
  const [first] = records;
  const goesOn = before?.epoch === epoch && before.offset === offset;
  // A host that was killed may have left bytes without their times, behind others that have theirs.
  const place = goesOn ? { ...before } : first?.kind === "base" ? placeAt(epoch, first) : undefined;
  if (!place) return before;
  const end = endOf({ offset, bytes: bytes.byteLength });
  const text = new Slices(bytes, offset);
  if (!goesOn) yield* beginning(place, before, text);
  for (const record of records) {
    yield* text.upTo(record.offset, place.atMs);
    place.atMs = Math.max(place.atMs, record.atMs);
    if (record.kind === "exit") yield { kind: "exit", atMs: place.atMs, status: record.status };
    if (record.kind !== "base" && record.kind !== "resize") continue;
    if (record.size.cols === place.size.cols && record.size.rows === place.size.rows) continue;
    place.size = record.size;
    yield { kind: "size", atMs: place.atMs, size: place.size };
  }
  yield* text.upTo(end, place.atMs);
  place.offset = end;
  return place;
}

function placeAt(epoch: number, { offset, atMs, size }: TimesBase): Place {
  return { epoch, offset, atMs, size };
}

/** How a part begins that does not go on where the last one ended. */
function* beginning(place: Place, before: Place | undefined, text: Slices): Generator<RecordedEvent> {
  yield { kind: "size", atMs: place.atMs, size: place.size };
  const known = before?.epoch === place.epoch ? before.offset : 0;
  if (before?.epoch !== place.epoch) yield { kind: "epoch", epoch: place.epoch };
  if (place.offset <= known) return;
  const cut = place.offset === text.offset;
  text.skipTo(place.offset);
  // Where the recording was switched on in the midst of a segment, it begins with what a program wrote at once.
  if (cut) text.skipBroken();
  yield { kind: "missing", bytes: text.offset - known, head: !before };
}

/** The bytes of a segment, taken from front to back. */
class Slices {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  #at = 0;

  constructor(bytes: Uint8Array, startOffset: number) {
    this.#bytes = bytes;
    this.#start = startOffset;
  }

  /** Of the next byte. */
  get offset(): number {
    return this.#start + this.#at;
  }

  *upTo(offset: number, atMs: number): Generator<RecordedEvent> {
    const end = Math.min(offset - this.#start, this.#bytes.byteLength);
    if (end <= this.#at) return;
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    yield { kind: "output", atMs, bytes };
  }

  skipTo(offset: number): void {
    this.#at = Math.min(Math.max(this.#at, offset - this.#start), this.#bytes.byteLength);
  }

  /** To where no sequence and no character is cut: behind a newline that is near, or at least to a character's start. */
  skipBroken(): void {
    const near = this.#bytes.subarray(this.#at, this.#at + 4096);
    const newline = near.indexOf(0x0a);
    if (newline >= 0) this.#at += newline + 1;
    else while (isContinuation(this.#bytes[this.#at])) this.#at += 1;
  }
}

/** Whether a byte belongs to a UTF-8 character that began before it. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte < 0xc0;
}

/** How a program ended, as shells tell it: a signal counts from 128. */
export function exitStatus({ code, signal }: TerminalExit): number {
  if (code !== null) return Math.min(Math.max(code, 0), 255);
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1];
  return number === undefined ? 255 : Math.min(128 + number, 255);
}
