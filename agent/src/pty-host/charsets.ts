import headless from "@xterm/headless";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";

/** The charset of everybody: ASCII. */
export const plainCharset = "B";
/** How each of the other charsets that xterm has is designated, by the last byte: line drawing, and national ones. */
const finals = "0A4CRQKYEZH=";

const insideSchema = Type.Object({
  _core: Type.Object({
    _inputHandler: Type.Unsafe<{ selectCharset(designation: string): unknown }>(
      Type.Object({ selectCharset: Type.Function([Type.String()], Type.Unknown()) }),
    ),
    _charsetService: Type.Object({ _charsets: Type.Array(Type.Unknown()) }),
  }),
});
type Inside = Static<typeof insideSchema>;

/** By what xterm uses for each: the same objects for all terminals of a process. */
let known: ReadonlyMap<unknown, string> | undefined;

/** The last byte of the sequence that designates a charset of xterm's. */
export function charsetFinal(charset: unknown): string {
  if (charset === undefined) return plainCharset;
  known ??= knownCharsets();
  return known.get(charset) ?? plainCharset;
}

/** The sequences that designate G0 to G3, and choose the one in use. */
export function designations(finalBytes: readonly string[], level: number): string {
  const sets = finalBytes.map((final, index) => (final === plainCharset ? "" : `\x1b${"()*+"[index]}${final}`));
  return [...sets, ["", "\x0e", "\x1bn", "\x1bo"][level] ?? ""].join("");
}

/** xterm tells nobody of its charsets: a terminal of which each is asked for shows them. */
function knownCharsets(): ReadonlyMap<unknown, string> {
  const terminal = new headless.Terminal({ cols: 2, rows: 1, scrollback: 0, allowProposedApi: true });
  try {
    if (!isInside(terminal)) throw new Error("this version of xterm keeps its charsets elsewhere");
    const { _inputHandler, _charsetService } = terminal._core;
    return new Map(
      [...finals].map((final) => {
        _inputHandler.selectCharset(`(${final}`);
        return [_charsetService._charsets[0], final];
      }),
    );
  } finally {
    terminal.dispose();
  }
}

function isInside(value: unknown): value is Inside {
  return Value.Check(insideSchema, value);
}
