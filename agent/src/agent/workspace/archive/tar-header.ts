/** Everything in a tar comes in blocks of so many bytes. */
export const blockBytes = 512;

/** What a header tells, as far as Berth writes it. */
export interface TarEntry {
  readonly path: Buffer;
  readonly kind: "file" | "folder" | "link";
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly target: Buffer | undefined;
}

const types = { file: "0", folder: "5", link: "2" } as const;
const nameBytes = 100;
const largestOctal = 0o77777777777;
const nanoseconds = 1_000_000_000n;

/**
 * The header of an entry: ustar, preceded by a pax header for what does not fit or would be lost. A name that is not
 * UTF-8 keeps its bytes, as GNU tar writes and reads it.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const path = entry.kind === "folder" ? Buffer.concat([entry.path, Buffer.from("/")]) : entry.path;
  const target = entry.target ?? Buffer.alloc(0);
  const records: Buffer[] = [];
  if (path.length > nameBytes) records.push(paxRecord("path", path));
  if (target.length > nameBytes) records.push(paxRecord("linkpath", target));
  if (entry.size > largestOctal) records.push(paxRecord("size", Buffer.from(String(entry.size))));
  if (entry.mtimeNs < 0n || entry.mtimeNs % nanoseconds !== 0n)
    records.push(paxRecord("mtime", Buffer.from(seconds(entry.mtimeNs))));
  const own = block({ ...entry, path, target }, types[entry.kind]);
  if (records.length === 0) return own;
  const body = Buffer.concat(records);
  const pax = { ...entry, path: Buffer.from("././@PaxHeader"), target: Buffer.alloc(0), size: body.length };
  return Buffer.concat([block(pax, "x"), body, padding(body.length), own]);
}

/** The zeros between the end of so many bytes and the next block. */
export function padding(bytes: number): Buffer {
  return Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
}

function block(entry: TarEntry & { readonly target: Buffer }, type: string): Buffer {
  const header = Buffer.alloc(blockBytes);
  entry.path.copy(header, 0, 0, nameBytes);
  const mtime = entry.mtimeNs < 0n ? 0 : Number(entry.mtimeNs / nanoseconds);
  octal(header, 100, 8, entry.mode);
  octal(header, 108, 8, 0);
  octal(header, 116, 8, 0);
  octal(header, 124, 12, entry.size > largestOctal ? 0 : entry.size);
  octal(header, 136, 12, Math.min(mtime, largestOctal));
  header.write(" ".repeat(8), 148, "latin1");
  header.write(type, 156, "latin1");
  entry.target.copy(header, 157, 0, nameBytes);
  header.write("ustar\0" + "00", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

function octal(header: Buffer, offset: number, bytes: number, value: number): void {
  header.write(`${value.toString(8).padStart(bytes - 1, "0")}\0`, offset, "latin1");
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function seconds(ns: bigint): string {
  const whole = ns < 0n ? -ns : ns;
  return `${ns < 0n ? "-" : ""}${whole / nanoseconds}.${String(whole % nanoseconds).padStart(9, "0")}`;
}
