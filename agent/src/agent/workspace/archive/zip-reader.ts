import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { ByteSource } from "./byte-source.ts";
import type { ReadEntry } from "./read-entry.ts";
import { badZip, type Seekable, type ZipRecord, zipRecords } from "./zip-directory.ts";

const localHeaderBytes = 30;
const localMark = 0x04034b50;
const portionBytes = 256 * 1024;
/** Where a link leads is no longer. */
const maxTargetBytes = 4096;
const [typeMask, linkType, folderType, fileType] = [0o170000, 0o120000, 0o040000, 0o100000];
const slash = 0x2f;

/** An entry, and its contents while it is the current one. */
export interface ZipEntry {
  readonly entry: ReadEntry;
  readonly contents: ByteSource;
}

/** A zip's entries in its order, from a file that has all of it. Throws `CallFailure` `invalid_request` for nonsense. */
export async function* readZip(handle: FileHandle): AsyncGenerator<ZipEntry> {
  const file = await seekable(handle);
  for await (const record of zipRecords(file)) {
    const contents = contentsOf(file, record);
    try {
      yield { entry: await entryOf(record, contents), contents: new ByteSource(contents) };
    } finally {
      await contents.return(undefined);
    }
  }
}

async function seekable(handle: FileHandle): Promise<Seekable> {
  const { size } = await handle.stat();
  return {
    size,
    async read(offset, bytes) {
      if (offset + bytes > size) throw badZip("it ends too early");
      const buffer = Buffer.allocUnsafe(bytes);
      for (let at = 0; at < bytes; ) {
        const { bytesRead } = await handle.read(buffer, at, bytes - at, offset + at);
        if (bytesRead === 0) throw badZip("it ends too early");
        at += bytesRead;
      }
      return buffer;
    },
  };
}

async function entryOf(record: ZipRecord, contents: AsyncGenerator<Buffer>): Promise<ReadEntry> {
  const { path, bytes, mtime, unixMode } = record;
  const type = unixMode & typeMask;
  const isFolder = path.at(-1) === slash;
  const kind = isFolder ? "folder" : type === linkType ? "link" : isPlain(type) ? "file" : "other";
  // Programs that know no modes write none.
  const mode = unixMode === 0 ? (isFolder ? 0o755 : 0o644) : unixMode & 0o777;
  if (kind !== "link") return { path, kind, mode, mtime, size: kind === "file" ? bytes : 0, target: Buffer.alloc(0) };
  if (bytes > maxTargetBytes) throw badZip("a link is too long");
  // To the end, which is where it is checked.
  const target = await new ByteSource(contents).take(maxTargetBytes + 1);
  if (target.includes(0)) throw badZip("a link makes no sense");
  return { path, kind, mode, mtime, size: 0, target };
}

function isPlain(type: number): boolean {
  return type === 0 || type === fileType || type === folderType;
}

/** As many bytes as its record tells of, or it throws; the last of them only once all are known to be right. */
async function* contentsOf(file: Seekable, record: ZipRecord): AsyncGenerator<Buffer> {
  const { bytes, method, isEncrypted } = record;
  if (isEncrypted) throw badZip("it is encrypted");
  if (method !== 0 && method !== 8) throw badZip(`it is compressed by the method ${method}`);
  let [told, sum] = [0, 0];
  let held: Buffer | undefined;
  for await (const chunk of method === 0 ? packed(file, record) : inflated(packed(file, record))) {
    told += chunk.length;
    if (told > bytes) throw badZip("an entry is longer than it says");
    sum = crc32(chunk, sum);
    if (held) yield held;
    held = chunk;
  }
  if (told !== bytes || sum !== record.crc32) throw badZip("an entry is damaged");
  if (held) yield held;
}

async function* packed(file: Seekable, { offset, packedBytes }: ZipRecord): AsyncGenerator<Buffer> {
  const header = await file.read(offset, localHeaderBytes);
  if (header.readUInt32LE(0) !== localMark) throw badZip("an entry is not where it should be");
  const start = offset + localHeaderBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  for (let at = 0; at < packedBytes; at += portionBytes)
    yield await file.read(start + at, Math.min(portionBytes, packedBytes - at));
}

async function* inflated(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw();
  const feeding = pipeline(Readable.from(chunks), inflate);
  // What goes wrong with it, the reader is told.
  feeding.catch(() => {});
  try {
    for await (const chunk of inflate) if (chunk instanceof Buffer) yield chunk;
  } catch (error) {
    throw isZlibError(error) ? badZip("an entry is damaged") : error;
  } finally {
    inflate.destroy();
  }
}

function isZlibError(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
}
