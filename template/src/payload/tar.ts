/** What a header says of one member. */
export interface TarMember {
  readonly type: "file" | "directory" | "link";
  /** Relative to the root. */
  readonly path: string;
  /** Of a link. */
  readonly target?: string;
  readonly mode: number;
  /** User and group. */
  readonly id: number;
  readonly bytes: number;
}

const blockBytes = 512;
const typeFlags = { file: "0", directory: "5", link: "2" } as const;

/** Two empty blocks end an archive. */
export const endOfTar: Buffer = Buffer.alloc(2 * blockBytes);

/** What fills a member's last block. */
export function paddingOf(bytes: number): Buffer {
  return Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
}

/** A ustar header (POSIX.1-1988). All times are 0, so that archives of the same contents are the same. */
export function tarHeader(member: TarMember): Buffer {
  const header = Buffer.alloc(blockBytes);
  const [prefix, name] = splitPath(member.type === "directory" ? `${member.path}/` : member.path);
  write(header, 0, 100, name);
  octal(header, 100, 8, member.mode);
  octal(header, 108, 8, member.id);
  octal(header, 116, 8, member.id);
  octal(header, 124, 12, member.bytes);
  octal(header, 136, 12, 0);
  // The sum is made as if its own field held spaces.
  header.fill(" ", 148, 156);
  header.write(typeFlags[member.type], 156);
  write(header, 157, 100, member.target ?? "");
  header.write("ustar\x0000", 257, "latin1");
  write(header, 345, 155, prefix);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/** A path of more than 100 bytes goes into two fields, cut at a slash. */
function splitPath(path: string): readonly [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ["", path];
  for (let cut = path.indexOf("/"); cut > 0; cut = path.indexOf("/", cut + 1)) {
    const name = path.slice(cut + 1);
    if (name !== "" && Buffer.byteLength(name) <= 100) return [path.slice(0, cut), name];
  }
  throw new Error(`the path is too long for an archive: ${path}`);
}

function write(header: Buffer, start: number, length: number, text: string): void {
  if (Buffer.byteLength(text) > length) throw new Error(`too long for an archive: ${text}`);
  header.write(text, start, length);
}

function octal(header: Buffer, start: number, length: number, value: number): void {
  const digits = value.toString(8).padStart(length - 1, "0");
  if (digits.length >= length) throw new Error(`${value} is too large for an archive`);
  header.write(`${digits}\0`, start, "latin1");
}
