import { linkLimits } from "@berth/protocol/link";
import type { IBuffer, Terminal } from "@xterm/headless";
import { backgroundOf, type CellStyle, copyStyle, plainStyle, sameStyle, sgr, urlIdOf } from "./cell-style.ts";
import { designations, plainCharset } from "./charsets.ts";
import { type Detail, hyperlink, serializeLines, styleOf } from "./serialize-lines.ts";
import type { Size } from "./size.ts";
import { type HiddenState, type Hyperlinks, hiddenState, type SavedCursor } from "./xterm-internals.ts";

/** RIS, then what RIS leaves: scrollback in some terminals, a hidden cursor in xterm.js. */
const fullReset = "\x1bc\x1b[3J\x1b[?25h";

/** A screen to begin from: live bytes follow from `offset`. */
export interface Snapshot extends Size {
  bytes: Uint8Array;
  offset: number;
  approximate: boolean;
}

/** What a snapshot has beside the terminal itself. */
export interface SnapshotExtras {
  title: string;
  /** Sequences that set the program's colours. */
  palette: string;
  /** The beginning of what the next output goes on with. */
  unfinished: Uint8Array;
}

/** A terminal as bytes. */
export interface DrawnSnapshot {
  readonly bytes: Buffer;
  /** Looks, or lines, of the screen itself were left out: it would have been too large. */
  readonly reduced: boolean;
}

/** How much of a terminal is drawn. */
interface Extent {
  readonly scrollbackLines: number;
  /** Rows of each screen, from the bottom. */
  readonly rows: number;
  readonly detail: Detail;
}

/**
 * Bytes that make a terminal of the same size look and behave like this one, whatever it showed before: scrollback,
 * screen, cursor, modes, and what the parser is in the middle of. Fits one frame of a link: takes fewer lines of
 * scrollback until it does. A screen that is too large by itself (the largest, every cell in colours of its own) goes in
 * fewer colours, or in none, or without its upper rows.
 */
export function snapshot(terminal: Terminal, extras: SnapshotExtras, scrollbackLines: number): DrawnSnapshot {
  const draw = (extent: Extent) => Buffer.concat([Buffer.from(serialize(terminal, extras, extent)), extras.unfinished]);
  const { rows, buffer } = terminal;
  const available = Math.min(scrollbackLines, buffer.normal.length - rows);
  const whole = withScrollback(available, (lines) => draw({ scrollbackLines: lines, rows, detail: "all" }));
  if (whole) return { bytes: whole, reduced: false };
  const basic = fitting(draw({ scrollbackLines: 0, rows, detail: "basic" }));
  if (basic) return { bytes: basic, reduced: true };
  for (let kept = rows; kept > 0; kept >>= 1) {
    const text = fitting(draw({ scrollbackLines: 0, rows: kept, detail: "text" }));
    if (text) return { bytes: text, reduced: true };
  }
  return { bytes: Buffer.concat([Buffer.from(fullReset), extras.unfinished]), reduced: true };
}

/** What fits into a frame: all lines of scrollback, or half of them, and so on; undefined if the screen alone does not. */
export function withScrollback(available: number, draw: (lines: number) => Buffer): Buffer | undefined {
  const whole = fitting(draw(available));
  if (whole) return whole;
  const screen = available > 0 ? fitting(draw(0)) : undefined;
  for (let lines = available >> 1; screen && lines > 0; lines >>= 1) {
    const some = fitting(draw(lines));
    if (some) return some;
  }
  return screen;
}

function fitting(bytes: Buffer): Buffer | undefined {
  return bytes.byteLength <= linkLimits.maxFrameBytes ? bytes : undefined;
}

function serialize(terminal: Terminal, extras: SnapshotExtras, extent: Extent): string {
  const { links } = hiddenState(terminal);
  const lines = drawn(terminal, terminal.buffer.normal, extent.scrollbackLines, { links, extent });
  return [snapshotHead(extras), lines, snapshotTail(terminal, extras, extent)].join("");
}

/** What a snapshot begins with, before the lines of the normal screen. */
export function snapshotHead({ palette }: SnapshotExtras): string {
  return `${fullReset}${palette}`;
}

/** What follows on those lines, up to what is unfinished. */
export function snapshotTail(
  terminal: Terminal,
  { title }: SnapshotExtras,
  extent: Extent = { scrollbackLines: 0, rows: terminal.rows, detail: "all" },
): string {
  const { normal, active, alternate } = terminal.buffer;
  const { cols } = terminal;
  const hidden = hiddenState(terminal);
  const parts = [tabStops(hidden.normalTabs, cols)];
  if (active.type === "alternate") {
    // Leaving restores what the normal screen saved; entering fills the screen with the background that is set.
    // The region is the normal screen's own in xterm.js, and of both screens elsewhere.
    parts.push(scrollRegion(terminal, hidden.normalScrollTop, hidden.normalScrollBottom));
    parts.push(saveCursor(normal, hidden.normalSaved), "\x1b[?1047h\x1b[r\x1b[H");
    parts.push(drawn(terminal, alternate, 0, { links: hidden.links, extent }), tabStops(hidden.alternateTabs, cols));
  }
  const saved = active.type === "alternate" ? hidden.alternateSaved : hidden.normalSaved;
  parts.push(saveCursor(active, saved));
  parts.push(scrollRegion(terminal, hidden.scrollTop, hidden.scrollBottom));
  const plainTitle = title.replace(/\p{Cc}/gu, "");
  if (plainTitle !== "") parts.push(`\x1b]2;${plainTitle}\x1b\\`);
  parts.push(cursor(terminal, active, hidden), modes(terminal, hidden), rejoin(terminal, active, hidden));
  return parts.join("");
}

/** A buffer with so many lines of its scrollback. */
function drawn(
  { cols, rows }: Terminal,
  buffer: IBuffer,
  scrollbackLines: number,
  { links, extent }: { links: Hyperlinks; extent: Extent },
): string {
  const skipped = rows - extent.rows;
  const from = Math.max(0, buffer.length - rows - scrollbackLines) + skipped;
  const lines = serializeLines(buffer, from, buffer.length, { cols, links, detail: extent.detail });
  return skipped > 0 ? `\x1b[${skipped + 1}H${lines}` : lines;
}

/** Tab stops where they are not at every eighth column. Moves the cursor. */
function tabStops(stops: readonly number[], cols: number): string {
  const within = stops.filter((column) => column < cols);
  const isDefault = within.length === Math.ceil(cols / 8) && within.every((column, index) => column === index * 8);
  return isDefault ? "" : ["\x1b[3g", ...within.map((column) => `\x1b[1;${column + 1}H\x1bH`)].join("");
}

function scrollRegion(terminal: Terminal, top: number, bottom: number): string {
  return top === 0 && bottom === terminal.rows - 1 ? "" : `\x1b[${top + 1};${bottom + 1}r`;
}

/** Saves a cursor with its look, and leaves the default look. */
function saveCursor(buffer: IBuffer, { x, y, style, charset }: SavedCursor): string {
  const row = Math.max(0, y - buffer.baseY) + 1;
  const [set, unset] = charset === plainCharset ? ["", ""] : [`\x1b(${charset}`, `\x1b(${plainCharset}`];
  return `\x1b[${row};${x + 1}H${sgr(style)}${set}\x1b7${unset}\x1b[m`;
}

/** The cursor and its look. Origin mode goes first, since it moves the cursor and changes what a position means. */
function cursor(terminal: Terminal, buffer: IBuffer, hidden: HiddenState): string {
  const at = (column: number) => position(terminal, buffer, hidden, column);
  const parts = terminal.modes.originMode ? ["\x1b[?6h"] : [];
  if (buffer.cursorX < terminal.cols) parts.push(at(buffer.cursorX));
  else {
    // Behind the last column, waiting to wrap: only printing a character leads there.
    const last = lastCell(buffer, terminal.cols);
    const link = hyperlink(hidden.links, urlIdOf(last.style));
    parts.push(at(terminal.cols - last.width), sgr(last.style), link, last.chars, hyperlink(hidden.links, 0));
  }
  parts.push(sgr(hidden.style));
  const urlId = urlIdOf(hidden.style);
  if (urlId !== 0) parts.push(hyperlink(hidden.links, urlId));
  return parts.join("");
}

/** Moves into a column of the cursor's line. */
function position({ modes }: Terminal, { cursorY }: IBuffer, { scrollTop }: HiddenState, column: number): string {
  return `\x1b[${cursorY - (modes.originMode ? scrollTop : 0) + 1};${column + 1}H`;
}

/**
 * Prints what is before the cursor once more, as the very last: a combining mark that comes next joins only what was
 * printed right before it, and so does a repetition (REP). What was printed last has the look that is set now.
 */
function rejoin(terminal: Terminal, buffer: IBuffer, hidden: HiddenState): string {
  const line = buffer.getLine(buffer.baseY + buffer.cursorY);
  const before = line?.getCell(buffer.cursorX - 1);
  if (!hidden.joins || !before) return "";
  const width = before.getWidth() === 0 ? 2 : 1;
  const cell = line?.getCell(buffer.cursorX - width);
  if (!cell || cell.getWidth() !== width || cell.getChars() === "") return "";
  const look = styleOf(cell);
  if (!sameStyle(look, hidden.style) || urlIdOf(look) !== urlIdOf(hidden.style)) return "";
  // In insert mode the line moves to the right of what is printed: of a character that grew only as far as its first part.
  if (terminal.modes.insertMode && [...cell.getChars()].length > 1) return "";
  const room = terminal.modes.insertMode ? `\x1b[${width}P` : "";
  return `${position(terminal, buffer, hidden, buffer.cursorX - width)}${room}${cell.getChars()}`;
}

function lastCell(buffer: IBuffer, cols: number): { chars: string; width: number; style: CellStyle } {
  const line = buffer.getLine(buffer.baseY + buffer.cursorY);
  for (const width of [1, 2]) {
    const cell = line?.getCell(cols - width);
    if (cell && cell.getWidth() === width && cell.getChars() !== "") {
      return { chars: cell.getChars(), width, style: copyStyle(styleOf(cell)) };
    }
  }
  const erased = line?.getCell(cols - 1);
  return { chars: " ", width: 1, style: erased ? backgroundOf(styleOf(erased)) : plainStyle };
}

const mouseModes = { none: "", x10: "?9", vt200: "?1000", drag: "?1002", any: "?1003" } as const;
const cursorStyles: Readonly<Record<string, number>> = { block: 2, underline: 4, bar: 6 };

function modes(terminal: Terminal, hidden: HiddenState): string {
  const set = terminal.modes;
  const high = (condition: boolean, mode: string) => (condition ? `\x1b[${mode}h` : "");
  const style = hidden.cursorStyle === undefined ? undefined : cursorStyles[hidden.cursorStyle];
  return [
    high(set.applicationCursorKeysMode, "?1"),
    high(set.applicationKeypadMode, "?66"),
    high(set.bracketedPasteMode, "?2004"),
    high(set.reverseWraparoundMode, "?45"),
    high(set.sendFocusMode, "?1004"),
    high(set.mouseTrackingMode !== "none", mouseModes[set.mouseTrackingMode]),
    high(hidden.mouseEncoding === "SGR", "?1006"),
    high(hidden.mouseEncoding === "SGR_PIXELS", "?1016"),
    style === undefined ? "" : `\x1b[${hidden.cursorBlink ? style - 1 : style} q`,
    designations(hidden.charsets, hidden.charsetLevel),
    hidden.cursorHidden ? "\x1b[?25l" : "",
    high(set.insertMode, "4"),
    set.wraparoundMode ? "" : "\x1b[?7l",
  ].join("");
}
