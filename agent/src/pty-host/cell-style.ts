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
  // Of one look, a cell has words without a sign, and the terminal's present look has some with one.
  if ((one.fg ^ other.fg) !== 0 || (one.bg ^ other.bg) !== 0) return false;
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

/** The look with the sixteen colours that every terminal has, the nearest ones, and with no link. */
export function basicStyle({ fg, bg }: CellStyle): CellStyle {
  return { fg: basicColor(fg), bg: basicColor(bg) & ~hasExtended };
}

function basicColor(packed: number): number {
  const mode = (packed >>> 24) & 3;
  const index = packed & 0xff;
  if (mode < 2) return packed;
  return (packed & ~colorBits) | 0x1000000 | (mode === 2 && index < 16 ? index : nearestBasic(rgbOf(packed)));
}

/** Of the palette's 256 colours those behind the first 16: a cube of 6 x 6 x 6, and 24 greys. */
function rgbOf(packed: number): readonly [number, number, number] {
  if (((packed >>> 24) & 3) === 3) return [(packed >>> 16) & 0xff, (packed >>> 8) & 0xff, packed & 0xff];
  const index = (packed & 0xff) - 16;
  const grey = 8 + 10 * (index - 216);
  if (index >= 216) return [grey, grey, grey];
  return [(Math.floor(index / 36) % 6) * 51, (Math.floor(index / 6) % 6) * 51, (index % 6) * 51];
}

/** Three bits of colour, and one of brightness. */
function nearestBasic([red, green, blue]: readonly [number, number, number]): number {
  const brightest = Math.max(red, green, blue);
  if (brightest < 64) return 0;
  const bit = (part: number, value: number) => (part * 2 > brightest ? value : 0);
  return bit(red, 1) + bit(green, 2) + bit(blue, 4) + (brightest > 191 ? 8 : 0);
}
