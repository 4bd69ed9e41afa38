import fc from "fast-check";

/** The size of the screens for which `piece` is made. */
export const cols = 12;
export const rows = 5;

/**
 * What terminals are sent, in pieces that meet in every order. Without wrapping off: then a cluster that grows in the
 * last column leaves cells in xterm that no output could make again.
 */
export const piece = fc.oneof(
  fc.constantFrom("a", "bc", "hello world, a long line that wraps more than once", " ", "\r\n", "\n", "\r", "\b", "\t"),
  fc.constantFrom("\u0301", "\u20dd", "\x1b[3b"),
  fc.constantFrom("\x1b(A", "\x1b)K", "\x1b*0", "\x1b+7", "\x0e", "\x0f", "\x1bn", "\x1bo", "#@[{~q"),
  fc.constantFrom("漢字", "é", "e\u0301", "👩‍👩‍👧", "🇩🇪", "🇩", "한", "👍🏽", "ｗ", "\u2764\ufe0f"),
  fc.integer({ min: 0, max: 7 }).map((color) => `\x1b[3${color};4${7 - color}m`),
  fc.constantFrom("\x1b[m", "\x1b[1;3;4;7m", "\x1b[38;5;200m", "\x1b[48;2;1;2;3m", "\x1b[4:3;58;5;9m", "\x1b[2;9m"),
  fc.constantFrom("\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[J", "\x1b[1J", "\x1b[2J", "\x1b[3X", "\x1b[2P", "\x1b[2@"),
  fc.tuple(fc.integer({ min: 1, max: rows }), fc.integer({ min: 1, max: cols })).map(([y, x]) => `\x1b[${y};${x}H`),
  fc.constantFrom("\x1b7", "\x1b8", "\x1b[2;4r", "\x1b[r", "\x1b[L", "\x1b[M", "\x1bM", "\x1b[2S", "\x1b[T"),
  fc.constantFrom("\x1b[?1049h", "\x1b[?1049l", "\x1b[?25l", "\x1b[?25h", "\x1b[?6h", "\x1b[?6l"),
  fc.constantFrom("\x1b[?1h", "\x1b[?2004h", "\x1b[?1004h", "\x1b[?1000h", "\x1b[?1003h", "\x1b[?1006h", "\x1b[?1006l"),
  fc.constantFrom(
    "\x1b(0",
    "\x1b(B",
    "\x1b[4h",
    "\x1b[4l",
    "\x1b[5 q",
    "\x1b[?66h",
    "\x1b]2;a title\x07",
    "\x1b]0;\x07",
  ),
  fc.constantFrom(
    "\x1b]8;;https://example.org/\x1b\\",
    "\x1b]8;id=1;https://example.org/?a=b\x1b\\",
    "\x1b]8;;\x1b\\",
    "\x1b[3g",
    "\x1bH",
    "\x1b[g",
    "\x1b]4;1;rgb:12/34/56\x1b\\",
    "\x1b]104\x07",
    "\x1b]11;#123456\x07",
  ),
);

/**
 * Without underlines of a colour or shape of their own: xterm keeps them through a restored cursor, out of sight until
 * the next underline, and no output can put them back there. And without links: xterm forgets one, even while it is open,
 * when the line is erased on which it was begun.
 */
export const plainPiece = piece.filter((text) => !text.includes("4:3") && !text.includes("]8;"));
