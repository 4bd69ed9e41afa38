import type { AttachScreen, TerminalSize } from "@berth/protocol/viewer";
import type { TextStream } from "../output/output.ts";
import { ShadowScreen } from "./shadow-screen.ts";

/** What programs may have switched on in the user's terminal. */
const modes = [1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004, 2026, 2031];
/**
 * Soft reset, which takes margins, origin mode, colours and the keypad back; then what it leaves: modes, kitty's and
 * xterm's key encodings, the cursor and its shape.
 */
const endedModes = `\x1b[!p${modes.map((mode) => `\x1b[?${mode}l`).join("")}\x1b[=0u\x1b[>4;0m\x1b[?25h\x1b[0 q\x1b[m`;

/**
 * The user's own terminal as the screen of a program elsewhere, with a status line over its last row now and then. The
 * line is drawn only between sequences, and what it covers is put back before the program's next byte.
 */
export class LocalScreen implements AttachScreen {
  readonly #stream: TextStream;
  readonly #shadow: ShadowScreen;
  readonly #inline: boolean;
  #status: string | undefined;
  #drawn = false;

  /** @param inline The program begins where the cursor stands, so nobody knows what the rows show. */
  constructor(stream: TextStream, inline: boolean) {
    this.#stream = stream;
    this.#inline = inline;
    this.#shadow = new ShadowScreen(this.size, () => this.#draw());
  }

  /** Of the user's terminal. */
  get size(): TerminalSize {
    return { cols: this.#stream.columns ?? 80, rows: this.#stream.rows ?? 24 };
  }

  write(bytes: Uint8Array<ArrayBuffer>, digested: () => void): void {
    this.#erase();
    this.#shadow.write(bytes);
    this.#stream.write(bytes, () => digested());
  }

  /** Another viewer's size cannot be shown otherwise here; the first key takes the size of this terminal. */
  resized(): void {}

  /** The user's terminal has another size now. */
  fit(): TerminalSize {
    this.#shadow.resize(this.size);
    this.#drawn = false;
    this.#draw();
    return this.size;
  }

  /** Shows a line over the last row, or takes it away. */
  status(text: string | undefined): void {
    this.#status = text;
    if (text === undefined) this.#erase();
    else this.#draw();
  }

  bell(): void {
    this.#stream.write("\x07");
  }

  /** Leaves the terminal as programs expect it, with the cursor on a new line below what was shown. */
  leave(): void {
    this.#erase();
    const alternate = this.#shadow.onAlternateScreen ? "\x1b[?1049l" : "";
    const row = Math.min(this.#shadow.lastTextRow() + 1, this.#shadow.rows);
    const below = this.#inline ? "" : `\x1b[${Math.max(1, row)};1H\r\n`;
    this.#stream.write(`${alternate}${endedModes}${below}`);
    this.#shadow.dispose();
  }

  #draw(): void {
    if (this.#status === undefined || this.#inline || !this.#shadow.steady) return;
    const { cols, rows } = this.#shadow;
    const text = ` ${this.#status} `.slice(0, cols - 1);
    // DECSC keeps the cursor, its look and its character set; one column stays free, so that nothing wraps.
    this.#stream.write(`\x1b7\x1b[?6l\x1b[${rows};1H\x1b(B\x0f\x1b[0;7m${text}\x1b[m\x1b[K\x1b8`);
    this.#drawn = true;
  }

  #erase(): void {
    if (!this.#drawn) return;
    this.#drawn = false;
    const { rows } = this.#shadow;
    this.#stream.write(`\x1b7\x1b[?6l\x1b[${rows};1H\x1b(B\x0f\x1b[m\x1b[2K${this.#shadow.lastRow()}\x1b8`);
  }
}
