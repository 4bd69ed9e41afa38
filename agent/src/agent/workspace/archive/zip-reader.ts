import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { CallFailure } from "@berth/protocol/link";
import { type Entry, fromFdPromise, type ZipFile } from "yauzl";
import { ByteSource } from "./byte-source.ts";
import type { ReadEntry } from "./read-entry.ts";

/** Where a link leads is no longer. */
const maxTargetBytes = 4096;
const [typeMask, linkType, folderType, fileType] = [0o170000, 0o120000, 0o040000, 0o100000];
/** Who made an entry, in the upper byte of `version made by`: only Unix tells modes. */
const unix = 3;
const slash = 0x2f;

/** An entry, and its contents while it is the current one. */
export interface ZipEntry {
  readonly entry: ReadEntry;
  readonly contents: ByteSource;
}

/** A zip's entries in its order, from a file that has all of it. Throws `CallFailure` `invalid_request` for nonsense. */
export async function* readZip({ fd }: FileHandle): AsyncGenerator<ZipEntry> {
  // Names stay the bytes that they are: whoever takes the entries checks them, whatever archive they are from.
  const options = { lazyEntries: true, autoClose: false, decodeStrings: false } as const;
  const zip = await fromFdPromise(fd, options).catch(refuse);
  const entries = zip.eachEntry();
  for (let next = await entries.next().catch(refuse); !next.done; next = await entries.next().catch(refuse)) {
    const contents = contentsOf(zip, next.value);
    try {
      yield { entry: await entryOf(next.value, contents), contents: new ByteSource(contents) };
    } finally {
      await contents.return(undefined);
    }
  }
}

async function entryOf(found: Entry, contents: AsyncGenerator<Buffer>): Promise<ReadEntry> {
  const path = nameOf(found);
  const unixMode = found.versionMadeBy >>> 8 === unix ? found.externalFileAttributes >>> 16 : 0;
  const type = unixMode & typeMask;
  const isFolder = path.at(-1) === slash;
  const kind = isFolder ? "folder" : type === linkType ? "link" : isPlain(type) ? "file" : "other";
  // Programs that know no modes write none.
  const mode = unixMode === 0 ? (isFolder ? 0o755 : 0o644) : unixMode & 0o777;
  const mtime = Math.max(0, found.getLastModDate().getTime() / 1000);
  const size = found.uncompressedSize;
  if (kind !== "link") return { path, kind, mode, mtime, size: kind === "file" ? size : 0, target: Buffer.alloc(0) };
  if (size > maxTargetBytes) throw badZip("a link is too long");
  // To the end, which is where it is checked.
  const target = await new ByteSource(contents).take(maxTargetBytes + 1);
  if (target.includes(0)) throw badZip("a link makes no sense");
  return { path, kind, mode, mtime, size: 0, target };
}

/** With `decodeStrings: false` the name is a buffer, whatever the declared type says. */
function nameOf({ fileName }: { readonly fileName: unknown }): Buffer {
  if (!Buffer.isBuffer(fileName)) throw badZip("an entry has no name");
  return fileName;
}

function isPlain(type: number): boolean {
  return type === 0 || type === fileType || type === folderType;
}

/** As many bytes as its record tells of, or it throws; the last of them only once all are known to be right. */
async function* contentsOf(zip: ZipFile, entry: Entry): AsyncGenerator<Buffer> {
  const stream = await zip.openReadStreamPromise(entry).catch(refuse);
  let sum = 0;
  let held: Buffer | undefined;
  try {
    for await (const chunk of stream) {
      if (!Buffer.isBuffer(chunk)) continue;
      sum = crc32(chunk, sum);
      if (held) yield held;
      held = chunk;
    }
  } catch (error) {
    refuse(error);
  } finally {
    stream.destroy();
  }
  if (sum !== entry.crc32) throw badZip("an entry is damaged");
  if (held) yield held;
}

/** What cannot be read is a failure of the disk's; anything else is the archive's. */
function refuse(error: unknown): never {
  if (error instanceof Error && "syscall" in error) throw error;
  throw badZip(error instanceof Error ? error.message : "it makes no sense");
}

function badZip(what: string): CallFailure {
  return new CallFailure("invalid_request", `that is no zip that can be read: ${what}`);
}
