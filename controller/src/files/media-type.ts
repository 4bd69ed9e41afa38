/** How pictures begin, in latin1: a letter a byte. */
const images: readonly (readonly [mediaType: string, isOne: (letters: string) => boolean])[] = [
  ["image/png", (letters) => letters.startsWith("\x89PNG\r\n\x1a\n")],
  ["image/jpeg", (letters) => letters.startsWith("\xff\xd8\xff")],
  ["image/gif", (letters) => /^GIF8[79]a/.test(letters)],
  ["image/webp", (letters) => /^RIFF.{4}WEBP/s.test(letters)],
  ["image/avif", (letters) => /^.{4}ftypavif/s.test(letters)],
  ["image/x-icon", (letters) => letters.startsWith("\0\0\x01\0")],
];

/**
 * What a file is, told from how it begins: a picture that browsers show, text, or just bytes. A file of a workspace is
 * anybody's: markup is text here, since a browser would run it in the console's place.
 */
export function mediaTypeOf(sample: Buffer, isWhole: boolean): string {
  const letters = sample.toString("latin1");
  for (const [mediaType, isOne] of images) if (isOne(letters)) return mediaType;
  return isText(sample, isWhole) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

function isText(sample: Buffer, isWhole: boolean): boolean {
  if (sample.includes(0)) return false;
  try {
    // A letter may be cut where the sample ends.
    new TextDecoder("utf-8", { fatal: true }).decode(sample, { stream: !isWhole });
    return true;
  } catch {
    return false;
  }
}
