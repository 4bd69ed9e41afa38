/** A word that a POSIX shell reads as exactly this text. Throws a `RangeError` for what no argument can hold. */
export function shellWord(text: string): string {
  if (text.includes("\0")) throw new RangeError("a NUL cannot be in a shell's word");
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
