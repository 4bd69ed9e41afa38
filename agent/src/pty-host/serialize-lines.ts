import type { IBuffer, IBufferCell, IBufferLine } from "@xterm/headless";
import {
  backgroundOf,
  basicStyle,
  type CellStyle,
  copyStyle,
  plainStyle,
  sameStyle,
  sgr,
  urlIdOf,
} from "./cell-style.ts";
import type { Hyperlinks } from "./xterm-internals.ts";

/** How much of each cell is drawn: all of it; its text in the basic colours; the beginning of its text. */
export type Detail = "all" | "basic" | "text";

/** What `text` draws of a cell, in UTF-16 units: a cluster may have any number. */
const textUnits = 8;

/**
 * Lines of a buffer as bytes that draw them again from the first column of an empty line. Sets what a line's `isWrapped`
 * says too, so that a later resize reflows alike. Leaves the look at the default and the cursor anywhere.
 *
 * Written here because @xterm/addon-serialize loses extended underlines, the last column's state and some background
 * colours, and joins clusters that were written apart.
 */
export function serializeLines(
  buffer: IBuffer,
  from: number,
  to: number,
  { cols, links, detail = "all" }: { cols: number; links: Hyperlinks; detail?: Detail },
): string {
  const writer = new LineWriter(buffer.getNullCell(), { cols, links, detail });
  for (let index = from; index < to; index += 1) {
    const line = buffer.getLine(index);
    if (!line) break;
    if (index > from) writer.nextLine(line.isWrapped);
    writer.line(line);
  }
  writer.finish();
  return writer.taken();
}

/** Text that joins what was printed before it into one cell, were it printed right behind. */
const joining =
  /^(?:\p{M}|\p{Regional_Indicator}|\p{Emoji_Modifier}|\u200d|[\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff])/u;
const invites = /\u200d$/;

/** Writes lines one after the other; whoever begins with a later one needs what it writes from there on, and its link. */
export class LineWriter {
  readonly #cell: IBufferCell;
  readonly #cols: number;
  readonly #links: Hyperlinks;
  readonly #detail: Detail;
  readonly #parts: string[] = [];
  #urlId = 0;
  #style: CellStyle = plainStyle;
  /** Where the cursor stands in its line; `#cols` after a character in the last column. */
  #column = 0;
  #lastChars = "";
  /** How the last cell of the line before is to look if it is empty. */
  #lastCell: { empty: boolean; style: CellStyle } = { empty: true, style: plainStyle };

  constructor(scratch: IBufferCell, { cols, links, detail }: { cols: number; links: Hyperlinks; detail: Detail }) {
    this.#links = links;
    this.#cell = scratch;
    this.#cols = cols;
    this.#detail = detail;
  }

  line(line: IBufferLine): void {
    for (let column = 0; column < Math.min(line.length, this.#cols); ) {
      const cell = line.getCell(column, this.#cell);
      if (!cell) break;
      const chars = cell.getChars();
      if (chars !== "" && cell.getWidth() > 0) {
        this.#print(column, this.#text(chars), cell.getWidth(), this.#look(cell));
        column += cell.getWidth();
      } else {
        column = this.#blanks(line, column, this.#look(cell));
      }
    }
    const last = line.getCell(this.#cols - 1, this.#cell);
    this.#lastCell = { empty: this.#column < this.#cols, style: last ? copyStyle(this.#look(last)) : plainStyle };
  }

  nextLine(wrapped: boolean): void {
    // A new line takes the background that is set when it scrolls in.
    this.#setStyle(plainStyle);
    if (!wrapped) this.#parts.push("\r\n");
    else if (!this.#lastCell.empty) this.#parts.push(" \r\x1b[X");
    else {
      // Only a character behind the last column wraps: print two, then erase both.
      this.#parts.push(`\x1b[${this.#cols}G  \x1b[A\x1b[${this.#cols}G`);
      this.#setStyle(backgroundOf(this.#lastCell.style));
      this.#parts.push("\x1b[X");
      this.#setStyle(plainStyle);
      this.#parts.push("\x1b[B\r\x1b[X");
    }
    this.#column = 0;
    this.#lastChars = "";
  }

  /** What was written since this was asked last. */
  taken(): string {
    return this.#parts.splice(0).join("");
  }

  /** What opens the link that is open now; empty if none is. */
  get openLink(): string {
    return this.#urlId === 0 ? "" : hyperlink(this.#links, this.#urlId);
  }

  finish(): void {
    this.#setStyle(plainStyle);
    this.#setLink(0);
  }

  #look(cell: IBufferCell): CellStyle {
    if (this.#detail === "all") return styleOf(cell);
    return this.#detail === "basic" ? basicStyle(styleOf(cell)) : plainStyle;
  }

  #text(chars: string): string {
    return this.#detail === "text" && chars.length > textUnits ? chars.slice(0, textUnits).toWellFormed() : chars;
  }

  #print(column: number, chars: string, width: number, style: CellStyle): void {
    this.#moveTo(column);
    this.#setLink(urlIdOf(style));
    // Any control sequence keeps what follows from joining.
    if (!this.#setStyle(style) && (joining.test(chars) || invites.test(this.#lastChars))) this.#parts.push(sgr(style));
    this.#parts.push(chars);
    this.#column = column + width;
    this.#lastChars = chars;
  }

  /** A run of erased cells of one background, from `column`; answers where it ends. */
  #blanks(line: IBufferLine, column: number, first: CellStyle): number {
    const background = backgroundOf(first);
    let end = column + 1;
    for (; end < this.#cols; end += 1) {
      const cell = line.getCell(end, this.#cell);
      if (cell?.getChars() !== "" || backgroundOf(this.#look(cell)).bg !== background.bg) break;
    }
    if (background.bg !== 0) {
      this.#moveTo(column);
      this.#setStyle(background);
      this.#parts.push(`\x1b[${end - column}X`);
    }
    return end;
  }

  #moveTo(column: number): void {
    if (column > this.#column) {
      this.#parts.push(`\x1b[${column - this.#column}C`);
      this.#lastChars = "";
    }
    this.#column = column;
  }

  /** A link stays open over what is not printed, so that its parts belong together again. */
  #setLink(urlId: number): void {
    if (urlId === this.#urlId) return;
    this.#urlId = urlId;
    this.#parts.push(hyperlink(this.#links, urlId));
    this.#lastChars = "";
  }

  #setStyle(style: CellStyle): boolean {
    if (sameStyle(this.#style, style)) return false;
    this.#style = copyStyle(style);
    this.#parts.push(sgr(style));
    return true;
  }
}

/** The sequence that begins a hyperlink, or ends the one before if there is none of this number. */
export function hyperlink(links: Hyperlinks, urlId: number): string {
  const link = urlId === 0 ? undefined : links.getLinkData(urlId);
  return link ? `\x1b]8;${link.id === undefined ? "" : `id=${link.id}`};${link.uri}\x1b\\` : "\x1b]8;;\x1b\\";
}

/** A cell is its style at run time; the public interface only names it in parts. */
export function styleOf(cell: IBufferCell): CellStyle {
  if (!("fg" in cell && "bg" in cell && typeof cell.fg === "number" && typeof cell.bg === "number")) {
    throw new Error("this version of xterm keeps a cell's look elsewhere");
  }
  const extended = "extended" in cell ? cell.extended : undefined;
  if (!isExtended(extended)) return { fg: cell.fg, bg: cell.bg };
  return { fg: cell.fg, bg: cell.bg, extended: extended.urlId === 0 ? extended : withoutLinkLook(extended) };
}

interface XtermExtended {
  underlineStyle: number;
  underlineColor: number;
  urlId: number;
  _ext: number;
}

/** xterm shows a link underlined in dashes, over the underline that the program chose. */
export function withoutLinkLook({ underlineColor, urlId, _ext }: XtermExtended): Omit<XtermExtended, "_ext"> {
  return { underlineStyle: (_ext >>> 26) & 7, underlineColor, urlId };
}

export function isExtended(value: unknown): value is XtermExtended {
  return (
    typeof value === "object" && value !== null && "underlineStyle" in value && "urlId" in value && "_ext" in value
  );
}
