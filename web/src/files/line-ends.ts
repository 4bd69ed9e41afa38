/** How the lines of a text end. `mixed`: not all alike, so that an editor would change them. */
export type LineEnds = "\n" | "\r\n" | "mixed";

/** How the lines of a text end; of one without any, as on Linux. */
export function lineEndsOf(text: string): LineEnds {
  const withReturn = text.includes("\r\n");
  const alone = text.replaceAll("\r\n", "");
  if (alone.includes("\r")) return "mixed";
  if (!withReturn) return "\n";
  return alone.includes("\n") ? "mixed" : "\r\n";
}

/** A text whose lines end as a browser's text field has them. */
export function toField(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

/** What was typed in a text field, with the file's own ends of lines. */
export function fromField(text: string, ends: LineEnds): string {
  return ends === "\r\n" ? text.replaceAll("\n", "\r\n") : text;
}
