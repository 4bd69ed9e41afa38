import type { IBuffer, IMarker, Terminal } from "@xterm/headless";
import type { ScreenModel } from "./screen-model.ts";

/** Looks for a text on a screen that changes, again and again. A line that was wrapped counts as one. */
export class ScreenSearch {
  readonly #model: Pick<ScreenModel, "skips">;
  readonly #terminal: Terminal;
  readonly #text: string;
  /** The top of the screen at the last look: what has scrolled off since is still looked at. */
  #lastTop: IMarker | undefined;
  #lastSkips: number;

  constructor(model: Pick<ScreenModel, "skips" | "terminal">, text: string) {
    this.#model = model;
    this.#lastSkips = model.skips;
    this.#terminal = model.terminal;
    this.#text = text;
  }

  /** Whether the text is on the screen, or has been on its way from the last look to this one. */
  look(): boolean {
    const buffer = this.#terminal.buffer.active;
    const first = buffer.type === "normal" ? this.#firstUnseen(buffer) : buffer.baseY;
    // So many rows of a wrapped line can the text have begun before: a line may be without end.
    const rowsBefore = Math.ceil((2 * this.#text.length) / this.#terminal.cols);
    if (textFrom(buffer, first, rowsBefore).includes(this.#text)) return true;
    if (buffer.type === "normal") {
      this.#lastTop?.dispose();
      this.#lastTop = this.#terminal.registerMarker(-buffer.cursorY);
    }
    return false;
  }

  /** A marker whose line is gone says -1, and one of a screen that was reset since may say what lies ahead. */
  #firstUnseen(buffer: IBuffer): number {
    const skipped = this.#model.skips !== this.#lastSkips;
    this.#lastSkips = this.#model.skips;
    const top = this.#lastTop?.line ?? buffer.baseY;
    return skipped || top < 0 || top > buffer.baseY ? 0 : top;
  }

  stop(): void {
    this.#lastTop?.dispose();
  }
}

/**
 * Lines from a row of the buffer on, without the cells behind them that were never written; and of a line that goes on
 * there so many rows before.
 */
function textFrom(buffer: IBuffer, firstRow: number, rowsBefore: number): string {
  let row = firstRow;
  while (row > Math.max(0, firstRow - rowsBefore) && buffer.getLine(row)?.isWrapped) row -= 1;
  const first = row;
  const parts: string[] = [];
  for (; row < buffer.length; row += 1) {
    const line = buffer.getLine(row);
    if (!line) break;
    if (row > first && !line.isWrapped) parts.push("\n");
    parts.push(line.translateToString(true));
  }
  return parts.join("");
}
