import { BadOutput } from "./status.ts";

const escapes = new Map<string, number>(
  Object.entries({ a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 0x22, "\\": 0x5c }),
);

/**
 * A name as git quotes it where it has letters that could be mistaken, `"a\tb\303\251"`, from a place in a line (latin1: a
 * letter a byte). Answers its bytes, and where it ends. Throws `BadOutput`.
 */
export function unquoted(line: string, start: number): { name: Buffer; end: number } {
  const bytes: number[] = [];
  let at = start + 1;
  for (;;) {
    const letter = line.charAt(at);
    if (letter === "") throw new BadOutput("a quoted name does not end");
    if (letter === '"') return { name: Buffer.from(bytes), end: at + 1 };
    if (letter !== "\\") {
      bytes.push(letter.charCodeAt(0));
      at += 1;
      continue;
    }
    const octal = /^[0-3][0-7]{2}/.exec(line.slice(at + 1, at + 4))?.[0];
    const byte = octal ? Number.parseInt(octal, 8) : escapes.get(line.charAt(at + 1));
    if (byte === undefined) throw new BadOutput("a quoted name makes no sense");
    bytes.push(byte);
    at += octal ? 4 : 2;
  }
}
