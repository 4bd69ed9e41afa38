import type { TerminalSize } from "@berth/protocol/viewer";
import xterm from "@xterm/headless";
import { rowBytes } from "./row-bytes.ts";
import { SequenceState } from "./sequence-state.ts";

/**
 * What the user's terminal shows, as far as it came from the program: so that a status line can be taken away again
 * without asking for the screen anew, and the terminal be left in order.
 */
export class ShadowScreen {
  readonly #terminal: xterm.Terminal;
  readonly #sequence = new SequenceState();
  /** Writes that are not on the shadow yet. */
  #pending = 0;
  readonly #onSettled: () => void;

  /** @param onSettled All that was written is on the shadow. */
  constructor(size: TerminalSize, onSettled: () => void) {
    this.#terminal = new xterm.Terminal({ ...size, scrollback: 0, allowProposedApi: true });
    this.#onSettled = onSettled;
  }

  write(bytes: Uint8Array): void {
    this.#sequence.take(bytes);
    this.#pending += 1;
    this.#terminal.write(bytes, () => {
      this.#pending -= 1;
      if (this.#pending === 0) this.#onSettled();
    });
  }

  resize({ cols, rows }: TerminalSize): void {
    this.#terminal.resize(cols, rows);
  }

  /** The shadow is up to date, and something may be written in between. */
  get steady(): boolean {
    return this.#pending === 0 && this.#sequence.between;
  }

  get rows(): number {
    return this.#terminal.rows;
  }

  get cols(): number {
    return this.#terminal.cols;
  }

  get onAlternateScreen(): boolean {
    return this.#terminal.buffer.active.type === "alternate";
  }

  /** What draws the last row again from its first column. */
  lastRow(): string {
    const buffer = this.#terminal.buffer.active;
    const line = buffer.getLine(buffer.viewportY + this.#terminal.rows - 1);
    return line ? rowBytes(line, this.#terminal.cols) : "";
  }

  /** The last row of the main screen that has text, from 0; -1 if none has. */
  lastTextRow(): number {
    const buffer = this.#terminal.buffer.normal;
    for (let row = this.#terminal.rows - 1; row >= 0; row -= 1) {
      if (buffer.getLine(buffer.baseY + row)?.translateToString(true)) return row;
    }
    return -1;
  }

  dispose(): void {
    this.#terminal.dispose();
  }
}
