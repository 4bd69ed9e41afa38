/**
 * The look of a cell as xterm packs it: two words that hold a colour (24 bits), its mode (2 bits) and flags (the upper
 * 6 bits), and what few cells have beside.
 */
export interface CellStyle {
  readonly fg: number;
  readonly bg: number;
  readonly extended?: {
    readonly underlineStyle: number;
    readonly underlineColor: number;
    /** Names a hyperlink to the terminal; 0 is none. */
    readonly urlId: number;
  };
}

const colorBits = 0x3ffffff;
const hasExtended = 0x10000000;
const fgFlags: readonly (readonly [number, number])[] = [
  [0x8000000, 1],
  [0x20000000, 5],
  [0x4000000, 7],
  [0x40000000, 8],
  [0x80000000, 9],
];
const bgFlags: readonly (readonly [number, number])[] = [
  [0x8000000, 2],
  [0x4000000, 3],
  [0x40000000, 53],
];

/** The default look. */
export const plainStyle: CellStyle = { fg: 0, bg: 0 };

/** Whether two cells look alike. */
export function sameStyle(one: CellStyle, other: CellStyle): boolean {
  if (one.fg !== other.fg || one.bg !== other.bg) return false;
  if ((one.bg & hasExtended) === 0) return true;
  return (
    one.extended?.underlineStyle === other.extended?.underlineStyle &&
    one.extended?.underlineColor === other.extended?.underlineColor
  );
}

/** The hyperlink of a cell; 0 is none. */
export function urlIdOf({ bg, extended }: CellStyle): number {
  return bg & hasExtended ? (extended?.urlId ?? 0) : 0;
}

/** A copy that outlives the cell, which xterm reuses. */
export function copyStyle({ fg, bg, extended }: CellStyle): CellStyle {
  if ((bg & hasExtended) === 0 || !extended) return { fg, bg };
  const { underlineStyle, underlineColor, urlId } = extended;
  return { fg, bg, extended: { underlineStyle, underlineColor, urlId } };
}

/** The colour of the background alone, as erased cells have it. */
export function backgroundOf(style: CellStyle): CellStyle {
  return { fg: 0, bg: style.bg & colorBits };
}

/** The SGR sequence that sets this look, whatever was set before. */
export function sgr(style: CellStyle): string {
  const codes: (number | string)[] = [0];
  for (const [flag, code] of fgFlags) if (style.fg & flag) codes.push(code);
  for (const [flag, code] of bgFlags) if (style.bg & flag) codes.push(code);
  if (style.fg & 0x10000000) codes.push(...underline(style));
  codes.push(...color(style.fg, 38), ...color(style.bg, 48));
  return codes.length === 1 ? "\x1b[m" : `\x1b[${codes.join(";")}m`;
}

function underline(style: CellStyle): (number | string)[] {
  const extended = style.bg & hasExtended ? style.extended : undefined;
  const kind = extended && extended.underlineStyle > 1 ? `4:${extended.underlineStyle}` : 4;
  return extended ? [kind, ...color(extended.underlineColor, 58)] : [kind];
}

/** Mode 0 is the default colour, 1 and 2 are of the palette, 3 is RGB. */
function color(packed: number, code: 38 | 48 | 58): number[] {
  const mode = (packed >>> 24) & 3;
  if (mode === 0) return [];
  if (mode === 3) return [code, 2, (packed >>> 16) & 0xff, (packed >>> 8) & 0xff, packed & 0xff];
  const index = packed & 0xff;
  if (mode === 2 || code === 58) return [code, 5, index];
  const base = code === 38 ? 30 : 40;
  return [index < 8 ? base + index : base + 60 + index - 8];
}
