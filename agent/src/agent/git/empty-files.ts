const header = Buffer.from("diff --git ");
const newline = 0x0a;
/** No header is as long: what is longer without an end is a line of a file. */
const maxHeaderBytes = 64 * 1024;

/**
 * A patch without the files of which it has nothing but their names. Git leaves out by itself those whose times have
 * changed and nothing else, but only if it may write what it has learned to the index, which would lock out the user's.
 */
export async function* withoutEmptyFiles(patch: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  let inLine = false;
  for await (const chunk of patch) {
    let bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    held = Buffer.alloc(0);
    if (inLine) {
      const end = bytes.indexOf(newline) + 1;
      yield end === 0 ? bytes : bytes.subarray(0, end);
      if (end === 0) continue;
      inLine = false;
      bytes = bytes.subarray(end);
    }
    const whole = bytes.lastIndexOf(newline) + 1;
    const { parts, rest } = partsOf(bytes.subarray(0, whole));
    yield* parts;
    const open = bytes.subarray(rest ?? whole);
    inLine = rest === undefined && open.length > maxHeaderBytes;
    if (inLine) yield open;
    else held = open;
  }
  if (held.length > 0 && !isHeader(held, 0)) yield held;
}

/** What to keep of whole lines; `rest` is where a header begins of which the next line is not known. */
function partsOf(lines: Buffer): { parts: Buffer[]; rest: number | undefined } {
  const parts: Buffer[] = [];
  let start = 0;
  for (let at = nextHeader(lines, 0); at !== -1; ) {
    const end = lines.indexOf(newline, at) + 1;
    if (end === lines.length) {
      if (at > start) parts.push(lines.subarray(start, at));
      return { parts, rest: at };
    }
    if (isHeader(lines, end)) {
      if (at > start) parts.push(lines.subarray(start, at));
      start = end;
      at = end;
    } else at = nextHeader(lines, end);
  }
  if (start < lines.length) parts.push(lines.subarray(start));
  return { parts, rest: undefined };
}

/** Where the next header begins, from the beginning of a line on. */
function nextHeader(lines: Buffer, from: number): number {
  if (isHeader(lines, from)) return from;
  for (let at = lines.indexOf(header, from); at !== -1; at = lines.indexOf(header, at + 1)) {
    if (lines[at - 1] === newline) return at;
  }
  return -1;
}

function isHeader(lines: Buffer, at: number): boolean {
  return lines.subarray(at, at + header.length).equals(header);
}
