/** The pieces of a byte stream that a byte ends; what is too long is left out, and so is what has no end. */
export async function* splitBy(
  chunks: AsyncIterable<Buffer>,
  separator: number,
  maxBytes: number,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let tooLong = false;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(separator); end !== -1; end = chunk.indexOf(separator, start)) {
      const last = chunk.subarray(start, end);
      if (!tooLong && heldBytes + last.length <= maxBytes)
        yield held.length === 0 ? last : Buffer.concat([...held, last]);
      held = [];
      heldBytes = 0;
      tooLong = false;
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    heldBytes += rest.length;
    tooLong ||= heldBytes > maxBytes;
    if (tooLong) held = [];
    else if (rest.length > 0) held.push(rest);
  }
}

/** The lines of a byte stream. */
export function cutLines(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  return splitBy(chunks, 0x0a, maxBytes);
}
