const maxNameBytes = 255;
/** What counts as an extension, which is kept where a name is cut, has at most so many bytes with its dot. */
const maxExtensionBytes = 32;

/**
 * A file's name that is safe in a folder, on a command line and on a screen: one path segment of at most 255 bytes, with
 * nothing that a terminal obeys or that turns the direction of the text, and not hidden, nor taken for an option. All
 * other letters stay.
 */
export function safeFileName(asked: string): string {
  const segment = asked.toWellFormed().normalize("NFC").split(/[/\\]/).at(-1) ?? "";
  const visible = segment.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, "");
  const plain = visible.replace(/^[-.\s]+/u, "").trimEnd();
  return plain === "" ? "file" : joined(plain, "");
}

/** The same name with a number before its extension: `shot.png` → `shot-2.png`. */
export function numberedFileName(name: string, number: number): string {
  return joined(name, `-${number}`);
}

/** Puts a mark between a name and its extension, and cuts the name where it would become too long. */
function joined(name: string, mark: string): string {
  const found = /(?<=.)\.[\p{L}\p{N}]+$/u.exec(name)?.[0] ?? "";
  const extension = Buffer.byteLength(found) <= maxExtensionBytes ? found : "";
  const stem = name.slice(0, name.length - extension.length);
  return cut(stem, maxNameBytes - Buffer.byteLength(mark + extension)) + mark + extension;
}

/** As many whole characters as fit into so many bytes. */
function cut(text: string, maxBytes: number): string {
  let bytes = 0;
  let kept = "";
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept;
}
