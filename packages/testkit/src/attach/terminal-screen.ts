import xterm from "@xterm/headless";
import { eventually } from "../eventually.ts";

export interface TerminalScreenOptions {
  readonly cols: number;
  readonly rows: number;
  /** Lines kept above the screen; 1000 by default. */
  readonly scrollback?: number;
}

/** A terminal with nobody in front: takes a PTY's bytes and tells what is on the screen. */
export class TerminalScreen {
  readonly #terminal: xterm.Terminal;

  constructor(options: TerminalScreenOptions) {
    this.#terminal = new xterm.Terminal({
      cols: options.cols,
      rows: options.rows,
      scrollback: options.scrollback ?? 1000,
      allowProposedApi: true,
    });
  }

  /** Takes output; it is on the screen a moment later. */
  write(bytes: Uint8Array): void {
    this.#terminal.write(bytes);
  }

  resize(cols: number, rows: number): void {
    this.#terminal.resize(cols, rows);
  }

  get cols(): number {
    return this.#terminal.cols;
  }

  get rows(): number {
    return this.#terminal.rows;
  }

  /** Resolves when all that was written is on the screen. */
  drained(): Promise<void> {
    return new Promise((resolve) => this.#terminal.write("", resolve));
  }

  /** The screen as text, without blanks at the ends of lines and below the last one. */
  text(): string {
    const { viewportY } = this.#terminal.buffer.active;
    return this.#lines(viewportY, viewportY + this.#terminal.rows);
  }

  /** Scrollback and screen as text. */
  textWithScrollback(): string {
    return this.#lines(0, this.#terminal.buffer.active.length);
  }

  /** Waits until the screen shows a text, 5 s by default; throws with the screen. Answers the screen's text. */
  async waitForText(wanted: string | RegExp, timeoutMs = 5000): Promise<string> {
    const shown = (text: string) => (typeof wanted === "string" ? text.includes(wanted) : wanted.test(text));
    try {
      return await eventually(() => (shown(this.text()) ? { text: this.text() } : undefined), { timeoutMs }).then(
        (found) => found.text,
      );
    } catch {
      throw new Error(`the screen did not show ${String(wanted)} within ${timeoutMs} ms:\n${this.text()}`);
    }
  }

  dispose(): void {
    this.#terminal.dispose();
  }

  #lines(from: number, to: number): string {
    const buffer = this.#terminal.buffer.active;
    const lines: string[] = [];
    for (let row = from; row < to; row += 1) lines.push(buffer.getLine(row)?.translateToString(true) ?? "");
    return lines.join("\n").trimEnd();
  }
}
