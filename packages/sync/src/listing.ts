import type { RawPath } from "./raw-path.ts";

/** rsync's `--out-format` for a listing: what differs, the size in bytes, and the name, to the end of the line. */
export const listingFormat = "%i %l %n";

/** One line of rsync's. */
export interface ListedItem {
  /** The eleven letters of `--itemize-changes`. */
  readonly itemized: string;
  readonly bytes: number;
  /** Without the slash that ends a folder's name. */
  readonly path: RawPath;
}

/** What rsync says that it does not take over, and why. */
export interface SkippedItem {
  readonly path: RawPath;
  readonly why: string;
}

/** A count and a sum of hashes, which is the same for the same names in whatever order. */
export interface Digest {
  readonly count: number;
  readonly sum: number;
}

/** A listing may have so many bytes; a tree of a million files has about 100 MB. */
const maxListingBytes = 512 * 1024 * 1024;
const [newline, carriageReturn, dot, space, slash] = [10, 13, 46, 32, 47];
const itemizedLength = 11;
/** As much as a hash has, so that no addition is rounded. */
const sumModulus = 2 ** 52;

/**
 * Reads what rsync writes with `-ii --out-format` and perhaps `--info=progress2`, as it comes. What is equal on both
 * sides is only counted, and kept as bytes: mostly it is all there is, and nobody wants to know more of it.
 */
export class ListingReader {
  readonly differing: ListedItem[] = [];
  /** Whether rsync has left something alone because it exists (`--ignore-existing --info=skip1`). */
  existed = false;
  /** What is not taken over at all, if rsync was asked to say so (`--info=name1`). */
  readonly skipped: SkippedItem[] = [];
  /** Whole lines as they came, of which some are of what is equal. */
  readonly #blocks: Buffer[] = [];
  readonly #onProgress: (line: string) => void;
  #rest: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #count = 0;
  #sum = 0;

  constructor(onProgress: (line: string) => void = () => {}) {
    this.#onProgress = onProgress;
  }

  /** Throws a `RangeError` beyond 512 MiB. */
  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > maxListingBytes) throw new RangeError("rsync lists more than 512 MiB of names");
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let start = 0;
    let hasEqual = false;
    let fromNewline = bytes.indexOf(newline);
    let fromReturn = bytes.indexOf(carriageReturn);
    for (;;) {
      const end = fromNewline === -1 || (fromReturn !== -1 && fromReturn < fromNewline) ? fromReturn : fromNewline;
      if (end === -1) break;
      hasEqual = this.#line(bytes, start, end) || hasEqual;
      start = end + 1;
      if (end === fromNewline) fromNewline = bytes.indexOf(newline, start);
      else fromReturn = bytes.indexOf(carriageReturn, start);
    }
    if (hasEqual) this.#blocks.push(bytes.subarray(0, start));
    this.#rest = bytes.subarray(start);
  }

  /** Of all names, those that differ included. */
  get digest(): Digest {
    return { count: this.#count, sum: this.#sum };
  }

  /** What is equal on both sides. */
  *equal(): Generator<ListedItem> {
    for (const block of this.#blocks) {
      for (let start = 0, end = lineEnd(block, 0); end !== -1; start = end + 1, end = lineEnd(block, start)) {
        const name = nameStart(block, start, end);
        if (name !== -1 && isEqual(block, start) && !isTopmost(block, name, end)) yield itemOf(block, start, name, end);
      }
    }
  }

  /** Whether it is of something that is equal on both sides. */
  #line(bytes: Buffer, start: number, end: number): boolean {
    if (end === start) return false;
    if (bytes[start] === space) {
      this.#onProgress(bytes.toString("latin1", start, end));
      return false;
    }
    const name = nameStart(bytes, start, end);
    if (name === -1) {
      this.#remark(bytes.toString("latin1", start, end));
      return false;
    }
    if (isTopmost(bytes, name, end)) return false;
    this.#count += 1;
    this.#sum = (this.#sum + hash(bytes, name, end)) % sumModulus;
    if (isEqual(bytes, start)) return true;
    this.differing.push(itemOf(bytes, start, name, end));
    return false;
  }

  #remark(line: string): void {
    if (line.endsWith(" exists")) this.existed = true;
    if (this.skipped.length >= maxSkipped) return;
    for (const { pattern, why } of skips) {
      const name = pattern.exec(line)?.[1];
      if (name !== undefined) this.skipped.push({ path: unescaped(name), why });
    }
  }
}

/** Remarks of rsync's that something is not taken over. The last `" -> "` is its own: so that of a name is none. */
const skips = [
  { pattern: /^ignoring unsafe symlink "(.*)" -> ".*"$/, why: "a link that leads out of the folder" },
  { pattern: /^skipping non-regular file "(.*)"$/, why: "a device, socket or pipe" },
] as const;
/** A sandbox may have any number of such. */
const maxSkipped = 10_000;

/** Where a line ends, by either sign of an end; -1 for none. */
function lineEnd(bytes: Buffer, start: number): number {
  for (let at = start; at < bytes.length; at += 1) {
    if (bytes[at] === newline || bytes[at] === carriageReturn) return at;
  }
  return -1;
}

// Of a line these take the bytes that it is in, for a view of each of many lines would cost more than all that is read.

/** The folder itself is not what is synced. */
function isTopmost(bytes: Buffer, name: number, end: number): boolean {
  return end - name === 2 && bytes[name] === dot && bytes[name + 1] === slash;
}

/** `.f` and nine spaces. */
function isEqual(bytes: Buffer, start: number): boolean {
  if (bytes[start] !== dot) return false;
  for (let at = start + 2; at < start + itemizedLength; at += 1) if (bytes[at] !== space) return false;
  return true;
}

/** Where the name begins; -1 for a line that is no item. */
function nameStart(bytes: Buffer, start: number, end: number): number {
  const kind = bytes[start];
  // < and > are sent or received, c made here, h a hard link, `.` perhaps changed in attributes, * a message.
  if (kind !== 60 && kind !== 62 && kind !== 99 && kind !== 104 && kind !== dot) return -1;
  if (bytes[start + itemizedLength] !== space) return -1;
  for (let at = start + itemizedLength + 1; at < end; at += 1) if (bytes[at] === space) return at + 1;
  return -1;
}

function itemOf(bytes: Buffer, start: number, name: number, end: number): ListedItem {
  const itemized = bytes.toString("latin1", start, start + itemizedLength);
  const size = numberOf(bytes, start + itemizedLength + 1, name - 1);
  const path = unescaped(bytes.toString("latin1", name, bytes[end - 1] === slash ? end - 1 : end));
  return { itemized, bytes: size, path };
}

/** A number in decimal digits; 0 for anything else, and for what is too large. */
function numberOf(bytes: Buffer, start: number, end: number): number {
  let number = 0;
  for (let at = start; at < end; at += 1) {
    const digit = (bytes[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) return 0;
    number = number * 10 + digit;
  }
  return Number.isSafeInteger(number) ? number : 0;
}

/** rsync writes each byte that it cannot show, and a backslash before `#` and three digits, as `\#` and octal digits. */
function unescaped(name: string): RawPath {
  if (!name.includes("\\#")) return name;
  return name.replaceAll(/\\#([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** FNV-1a twice, as 52 bits: names that collide would have to be made so on purpose, and then hide from a sync only. */
function hash(bytes: Buffer, start: number, end: number): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high ^ byte, 0x85ebca6b);
  }
  return (low >>> 0) + ((high >>> 0) & 0xfffff) * 0x100000000;
}
