import { CallFailure } from "@berth/protocol/link";
import type { ByteSource } from "./byte-source.ts";
import type { ReadEntry } from "./read-entry.ts";
import { blockBytes } from "./tar-header.ts";

/** Names and numbers that precede an entry, and count for it alone. */
interface Extras {
  path?: Buffer;
  target?: Buffer;
  size?: number;
  mtime?: number;
}

/** No extra header is longer: the longest path is 4096 bytes. */
const maxExtraBytes = 64 * 1024;
const maxBytes = 2 ** 50;

const kinds = new Map<string, ReadEntry["kind"]>([
  ["0", "file"],
  ["\0", "file"],
  ["7", "file"],
  ["5", "folder"],
  ["2", "link"],
  ["1", "hardlink"],
]);

/**
 * The next entry of a tar (ustar, with what pax and GNU add for long names), or undefined at its end. The entry's `size`
 * bytes follow in the source, then `paddingOf` them. Throws `CallFailure` `invalid_request` for what is no tar.
 */
export async function nextEntry(source: ByteSource): Promise<ReadEntry | undefined> {
  const extras: Extras = {};
  for (;;) {
    const header = await source.take(blockBytes);
    // Two blocks of zeros end a tar; many writers leave them out.
    if (header.length === 0 || header.every((byte) => byte === 0)) return undefined;
    if (header.length < blockBytes) throw bad("it ends within a header");
    checkSum(header);
    const type = header.toString("latin1", 156, 157);
    const size = number(header, 124, 12);
    if (type === "x") readPax(await extra(source, size), extras);
    else if (type === "g") await extra(source, size);
    else if (type === "L") extras.path = untilNul(await extra(source, size));
    else if (type === "K") extras.target = untilNul(await extra(source, size));
    else return entryOf(header, kinds.get(type) ?? "other", size, extras);
  }
}

/** How many bytes fill a tar up behind so many. */
export function paddingOf(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function entryOf(header: Buffer, kind: ReadEntry["kind"], size: number, extras: Extras): ReadEntry {
  return {
    kind,
    path: extras.path ?? pathIn(header),
    target: extras.target ?? untilNul(header.subarray(157, 257)),
    mode: number(header, 100, 8) & 0o7777,
    // Links carry no bytes, whatever their header says.
    size: kind === "file" || kind === "other" ? (extras.size ?? size) : 0,
    mtime: extras.mtime ?? number(header, 136, 12),
  };
}

function pathIn(header: Buffer): Buffer {
  const name = untilNul(header.subarray(0, 100));
  const isUstar = header.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isUstar ? untilNul(header.subarray(345, 500)) : Buffer.alloc(0);
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

async function extra(source: ByteSource, size: number): Promise<Buffer> {
  if (size > maxExtraBytes) throw bad("a header is too long");
  const body = await source.take(size);
  const rest = await source.take(paddingOf(size));
  if (body.length < size || rest.length < paddingOf(size)) throw bad("it ends within a header");
  return body;
}

/** Records of pax: `<length> <key>=<value>\n`. */
function readPax(body: Buffer, extras: Extras): void {
  for (let start = 0; start < body.length; ) {
    const space = body.indexOf(0x20, start);
    const length = space === -1 ? 0 : Number(body.toString("latin1", start, space));
    const equals = body.indexOf(0x3d, space);
    const end = start + length;
    if (!Number.isInteger(length) || end <= equals + 1 || end > body.length || equals === -1 || body[end - 1] !== 0x0a)
      throw bad("a header makes no sense");
    const key = body.toString("utf8", space + 1, equals);
    const value = body.subarray(equals + 1, end - 1);
    if (key === "path") extras.path = value;
    else if (key === "linkpath") extras.target = value;
    else if (key === "size") extras.size = checked(Number(value.toString("latin1")));
    else if (key === "mtime") extras.mtime = Number(value.toString("latin1")) || 0;
    else if (key.startsWith("GNU.sparse.")) throw bad("sparse files are not taken: make it without --sparse");
    start = end;
  }
}

/** A number in octal, or in GNU's binary form for what is too large for that. */
function number(header: Buffer, offset: number, bytes: number): number {
  const field = header.subarray(offset, offset + bytes);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    let value = (field[0] ?? 0) & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    return checked(value);
  }
  const text = field
    .toString("latin1")
    .replace(/[\0 ]+$/, "")
    .trimStart();
  if (text !== "" && !/^[0-7]+$/.test(text)) throw bad("a number makes no sense");
  return checked(text === "" ? 0 : Number.parseInt(text, 8));
}

function checked(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0 || value > maxBytes) throw bad("a number makes no sense");
  return value;
}

function checkSum(header: Buffer): void {
  const told = number(header, 148, 8);
  let sum = 8 * 0x20;
  for (const [index, byte] of header.entries()) if (index < 148 || index >= 156) sum += byte;
  if (sum !== told) throw bad("a header's sum is wrong");
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end === -1 ? bytes : bytes.subarray(0, end);
}

function bad(what: string): CallFailure {
  return new CallFailure("invalid_request", `that is no tar that can be read: ${what}`);
}
