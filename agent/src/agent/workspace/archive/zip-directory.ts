import { CallFailure } from "@berth/protocol/link";

/** Bytes of an archive that lies in a file. */
export interface Seekable {
  readonly size: number;
  /** Exactly these bytes; rejects where the archive has none. */
  read(offset: number, bytes: number): Promise<Buffer>;
}

/** What a zip's directory tells of one entry (APPNOTE 4.3.12). */
export interface ZipRecord {
  readonly path: Buffer;
  /** The upper half is the mode of Unix, where one wrote it; 0 otherwise. */
  readonly unixMode: number;
  readonly isEncrypted: boolean;
  /** 0: as it is; 8: deflated. */
  readonly method: number;
  readonly crc32: number;
  readonly packedBytes: number;
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Where its local header is. */
  readonly offset: number;
}

const [endBytes, end64Bytes, locatorBytes, recordBytes] = [22, 56, 20, 46];
const [endMark, end64Mark, locatorMark, recordMark] = [0x06054b50, 0x06064b50, 0x07064b50, 0x02014b50];
const maxCommentBytes = 0xffff;
/** A million entries of a hundred letters have some 150 MB. */
const maxDirectoryBytes = 256 * 1024 * 1024;
const unix = 3;

/** Reads what a zip says that is in it, in its order. Throws `CallFailure` `invalid_request` for what is no zip. */
export async function* zipRecords(file: Seekable): AsyncGenerator<ZipRecord> {
  const { offset, bytes } = await findDirectory(file);
  if (bytes > maxDirectoryBytes) throw badZip("its directory is too long");
  const directory = await file.read(offset, bytes);
  for (let at = 0; at < directory.length; ) {
    if (at + recordBytes > directory.length || directory.readUInt32LE(at) !== recordMark)
      throw badZip("its directory makes no sense");
    const [pathBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => directory.readUInt16LE(at + field));
    const end = at + recordBytes + (pathBytes ?? 0) + (extraBytes ?? 0) + (commentBytes ?? 0);
    if (end > directory.length) throw badZip("its directory ends within an entry");
    yield recordOf(directory.subarray(at, end), pathBytes ?? 0, extraBytes ?? 0);
    at = end;
  }
}

/** Where its directory is: told at the very end, but for a comment. */
async function findDirectory(file: Seekable): Promise<{ offset: number; bytes: number }> {
  if (file.size < endBytes) throw badZip("it is too short");
  const tailBytes = Math.min(file.size, endBytes + maxCommentBytes + locatorBytes);
  const tail = await file.read(file.size - tailBytes, tailBytes);
  for (let at = tail.length - endBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== endMark || at + endBytes + tail.readUInt16LE(at + 20) !== tail.length) continue;
    const locator = at - locatorBytes;
    if (locator >= 0 && tail.readUInt32LE(locator) === locatorMark)
      return findLargeDirectory(file, large(tail, locator + 8));
    return { bytes: tail.readUInt32LE(at + 12), offset: tail.readUInt32LE(at + 16) };
  }
  throw badZip("its end is missing");
}

/** Of a zip with more than 65535 entries, or 4 GiB. */
async function findLargeDirectory(file: Seekable, offset: number): Promise<{ offset: number; bytes: number }> {
  const end = await file.read(offset, end64Bytes);
  if (end.readUInt32LE(0) !== end64Mark) throw badZip("its end makes no sense");
  return { bytes: large(end, 40), offset: large(end, 48) };
}

function recordOf(record: Buffer, pathBytes: number, extraBytes: number): ZipRecord {
  const extras = new Extras(record.subarray(recordBytes + pathBytes, recordBytes + pathBytes + extraBytes));
  const bytes = extras.size(record.readUInt32LE(24));
  const packedBytes = extras.size(record.readUInt32LE(20));
  const offset = extras.size(record.readUInt32LE(42));
  return {
    path: record.subarray(recordBytes, recordBytes + pathBytes),
    unixMode: record.readUInt8(5) === unix ? record.readUInt16LE(40) : 0,
    isEncrypted: (record.readUInt16LE(8) & 1) !== 0,
    method: record.readUInt16LE(10),
    crc32: record.readUInt32LE(16),
    packedBytes,
    bytes,
    mtime: extras.mtime ?? dosTime(record.readUInt16LE(14), record.readUInt16LE(12)),
    offset,
  };
}

/** Numbers that do not fit into an entry's own fields, and its time to the second. */
class Extras {
  readonly mtime: number | undefined;
  readonly #large: Buffer;
  #taken = 0;

  constructor(bytes: Buffer) {
    const field = (wanted: number) => {
      for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readUInt16LE(at + 2)) {
        if (bytes.readUInt16LE(at) === wanted) return bytes.subarray(at + 4, at + 4 + bytes.readUInt16LE(at + 2));
      }
      return Buffer.alloc(0);
    };
    this.#large = field(0x0001);
    const time = field(0x5455);
    this.mtime = time.length >= 5 && ((time[0] ?? 0) & 1) !== 0 ? time.readUInt32LE(1) : undefined;
  }

  /** The next number, which stands here where its own field is full; they have to be asked for in their order. */
  size(short: number): number {
    if (short !== 0xffffffff) return short;
    if (this.#taken + 8 > this.#large.length) throw badZip("a number is missing");
    const value = large(this.#large, this.#taken);
    this.#taken += 8;
    return value;
  }
}

function large(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw badZip("a number makes no sense");
  return Number(value);
}

/** Of MS-DOS: two seconds a step, in the time of whoever wrote it, which is taken for this machine's. */
function dosTime(date: number, time: number): number {
  const day = new Date(
    1980 + (date >> 9),
    ((date >> 5) & 15) - 1,
    date & 31,
    time >> 11,
    (time >> 5) & 63,
    (time & 31) * 2,
  );
  return Math.max(0, day.getTime() / 1000);
}

export function badZip(what: string): CallFailure {
  return new CallFailure("invalid_request", `that is no zip that can be read: ${what}`);
}
