import { linkLimits } from "@berth/protocol/link";
import type { IBuffer, Terminal } from "@xterm/headless";
import { backgroundOf, type CellStyle, copyStyle, plainStyle, sgr, urlIdOf } from "./cell-style.ts";
import { hyperlink, serializeLines, styleOf } from "./serialize-lines.ts";
import { type HiddenState, hiddenState, type SavedCursor } from "./xterm-internals.ts";

/** RIS, then what RIS leaves: scrollback in some terminals, a hidden cursor in xterm.js. */
const fullReset = "\x1bc\x1b[3J\x1b[?25h";

/** What a snapshot has beside the terminal itself. */
export interface SnapshotExtras {
  title: string;
  /** Sequences that set the program's colours. */
  palette: string;
  /** The beginning of what the next output goes on with. */
  unfinished: Uint8Array;
}

/**
 * Bytes that make a terminal of the same size look and behave like this one, whatever it showed before: scrollback,
 * screen, cursor, modes, and what the parser is in the middle of. Fits one frame of a link: takes fewer lines of
 * scrollback until it does.
 */
export function snapshot(terminal: Terminal, extras: SnapshotExtras, scrollbackLines: number): Buffer {
  for (let lines = scrollbackLines; ; lines = Math.floor(lines / 2)) {
    const bytes = Buffer.concat([Buffer.from(serialize(terminal, extras, lines)), extras.unfinished]);
    if (bytes.byteLength <= linkLimits.maxFrameBytes) return bytes;
    // The largest screen that can be agreed on, every cell in colours of its own, would not fit: nothing is then drawn.
    if (lines === 0) return Buffer.concat([Buffer.from(fullReset), extras.unfinished]);
  }
}

function serialize(terminal: Terminal, { title, palette }: SnapshotExtras, scrollbackLines: number): string {
  const { normal, active, alternate } = terminal.buffer;
  const { cols } = terminal;
  const hidden = hiddenState(terminal);
  const { links } = hidden;
  const parts = [fullReset, palette];
  const from = Math.max(0, normal.length - terminal.rows - scrollbackLines);
  parts.push(serializeLines(normal, from, normal.length, { cols, links }), tabStops(hidden.normalTabs, cols));
  if (active.type === "alternate") {
    // Leaving restores what the normal screen saved; entering fills the screen with the background that is set.
    // The region is the normal screen's own in xterm.js, and of both screens elsewhere.
    parts.push(scrollRegion(terminal, hidden.normalScrollTop, hidden.normalScrollBottom));
    parts.push(saveCursor(normal, hidden.normalSaved), "\x1b[?1047h\x1b[r\x1b[H");
    parts.push(serializeLines(alternate, 0, alternate.length, { cols, links }), tabStops(hidden.alternateTabs, cols));
  }
  const saved = active.type === "alternate" ? hidden.alternateSaved : hidden.normalSaved;
  parts.push(saveCursor(active, saved));
  parts.push(scrollRegion(terminal, hidden.scrollTop, hidden.scrollBottom));
  const plainTitle = title.replace(/\p{Cc}/gu, "");
  if (plainTitle !== "") parts.push(`\x1b]2;${plainTitle}\x1b\\`);
  parts.push(cursor(terminal, active, hidden), modes(terminal, hidden));
  return parts.join("");
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
function saveCursor(buffer: IBuffer, { x, y, style, lineDrawing }: SavedCursor): string {
  const row = Math.max(0, y - buffer.baseY) + 1;
  const [charset, plainCharset] = lineDrawing ? ["\x1b(0", "\x1b(B"] : ["", ""];
  return `\x1b[${row};${x + 1}H${sgr(style)}${charset}\x1b7${plainCharset}\x1b[m`;
}

/** The cursor and its look. Origin mode goes first, since it moves the cursor and changes what a position means. */
function cursor(terminal: Terminal, buffer: IBuffer, hidden: HiddenState): string {
  const top = terminal.modes.originMode ? hidden.scrollTop : 0;
  const at = (column: number) => `\x1b[${buffer.cursorY - top + 1};${column + 1}H`;
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
    hidden.lineDrawing[0] ? "\x1b(0" : "",
    hidden.lineDrawing[1] ? "\x1b)0" : "",
    hidden.shiftedOut ? "\x0e" : "",
    hidden.cursorHidden ? "\x1b[?25l" : "",
    high(set.insertMode, "4"),
    set.wraparoundMode ? "" : "\x1b[?7l",
  ].join("");
}
