import { mendParser } from "@berth/protocol/screen";
import { UnicodeGraphemesAddon } from "@xterm/addon-unicode-graphemes";
import headless from "@xterm/headless";
import { limits } from "./limits.ts";
import { LineMemory } from "./line-memory.ts";
import { Palette } from "./palette.ts";
import { type SnapshotExtras, snapshot } from "./snapshot.ts";
import { UnfinishedOutput } from "./unfinished.ts";
import { forgetLostWraps, isInSequence, surroundParser } from "./xterm-internals.ts";

/** The screen as text. */
export interface ScreenText {
  /** Lines without trailing blanks, joined by newlines; blank lines at the bottom are left out. */
  text: string;
  cols: number;
  rows: number;
  cursor: { x: number; y: number };
}

/** A terminal without a display, which knows what a viewer's terminal shows after the same bytes. */
export class ScreenModel {
  /** For those who look at cells: searches, and tests that compare two screens. */
  readonly terminal: headless.Terminal;
  readonly #palette: Palette;
  readonly #lines: LineMemory;
  readonly #unfinished = new UnfinishedOutput();
  #title = "";
  #approximate = false;
  #skips = 0;
  #reduced = false;
  /** Pieces of output that xterm has not parsed yet. */
  #writes = 0;
  #disposed = false;

  constructor(cols: number, rows: number, scrollbackLines: number = limits.scrollbackLines) {
    this.terminal = new headless.Terminal({
      cols,
      rows,
      scrollback: scrollbackLines,
      allowProposedApi: true,
      logLevel: "off",
    });
    this.terminal.loadAddon(new UnicodeGraphemesAddon());
    this.terminal.unicode.activeVersion = "15-graphemes";
    this.terminal.onTitleChange((title) => {
      this.#title = title.slice(0, 1024);
    });
    mendParser(this.terminal, () => {
      this.#approximate = true;
    });
    this.#lines = new LineMemory(this.terminal);
    surroundParser(this.terminal, (parse) => this.#lines.during(parse));
    this.#watchRepaints();
    this.#palette = new Palette(this.terminal);
  }

  get cols(): number {
    return this.terminal.cols;
  }

  get rows(): number {
    return this.terminal.rows;
  }

  get title(): string {
    return this.#title;
  }

  set title(title: string) {
    this.#title = title;
  }

  /** Output was skipped, and nothing has repainted the whole screen since. */
  get approximate(): boolean {
    return this.#approximate;
  }

  /** Sequences that set the program's colours. */
  get palette(): string {
    return this.#palette.serialize();
  }

  /** The program wants arrows in their application form. */
  get applicationCursor(): boolean {
    return this.terminal.modes.applicationCursorKeysMode;
  }

  /** How often it began anew behind a gap. */
  get skips(): number {
    return this.#skips;
  }

  get bracketedPaste(): boolean {
    return this.terminal.modes.bracketedPasteMode;
  }

  /** The last row of the main screen that has text, from 0; -1 if none has. */
  get lastTextRow(): number {
    const { normal } = this.terminal.buffer;
    for (let row = this.rows - 1; row >= 0; row -= 1) {
      if (normal.getLine(normal.baseY + row)?.translateToString(true)) return row;
    }
    return -1;
  }

  /** Parses the bytes, which must stay as they are until it resolves. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      const bounded = this.#unfinished.bounded(bytes);
      this.#writes += 1;
      this.terminal.write(bounded, () => {
        this.#writes -= 1;
        if (this.#disposed) this.#freeLines();
        else this.#lines.tidy();
        this.#unfinished.wrote(bounded, isInSequence(this.terminal));
        resolve();
      });
    });
  }

  resize(cols: number, rows: number): void {
    this.#lines.during(() => this.terminal.resize(cols, rows));
  }

  /** Begins anew behind a gap in the output. */
  async skip(): Promise<void> {
    this.terminal.reset();
    this.#skips += 1;
    await this.write(Buffer.from("\x1b[?25h"));
    this.#approximate = true;
  }

  snapshot(scrollbackLines: number): Buffer {
    forgetLostWraps(this.terminal);
    const { bytes, reduced } = snapshot(this.terminal, this.extras, scrollbackLines);
    this.#reduced = reduced;
    return bytes;
  }

  /** Whether the last snapshot lacks some of the screen itself, as one of an approximate screen does. */
  get snapshotApproximate(): boolean {
    return this.#approximate || this.#reduced;
  }

  /** What a snapshot has beside the terminal. */
  get extras(): SnapshotExtras {
    return { title: this.#title, palette: this.palette, unfinished: this.#unfinished.bytes };
  }

  /** Whether a snapshot with all its scrollback says all that there is. */
  get isRestorable(): boolean {
    return !this.#unfinished.isCut;
  }

  /** After a snapshot of another model was written: what that does not say. */
  restore({ title, approximate }: { readonly title: string; readonly approximate: boolean }): void {
    this.#title = title;
    this.#approximate = approximate;
  }

  text(): ScreenText {
    const buffer = this.terminal.buffer.active;
    const lines: string[] = [];
    for (let row = 0; row < this.rows; row += 1) {
      lines.push(buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? "");
    }
    while (lines.at(-1) === "") lines.pop();
    const cursor = { x: Math.min(buffer.cursorX, this.cols - 1), y: buffer.cursorY };
    return { text: lines.join("\n"), cols: this.cols, rows: this.rows, cursor };
  }

  dispose(): void {
    this.#disposed = true;
    this.terminal.dispose();
    this.#freeLines();
  }

  /** xterm parses what was written to it, also after its end, and needs its lines for that. */
  #freeLines(): void {
    if (this.#writes === 0) this.#lines.free();
  }

  #watchRepaints(): void {
    const repainted = () => {
      this.#approximate = false;
      // Not handled: xterm goes on with its own handler.
      return false;
    };
    this.terminal.parser.registerCsiHandler({ final: "J" }, ([what]) => {
      const { cursorX, cursorY } = this.terminal.buffer.active;
      return what === 2 || ((what ?? 0) === 0 && cursorX === 0 && cursorY === 0) ? repainted() : false;
    });
    this.terminal.parser.registerEscHandler({ final: "c" }, repainted);
    this.terminal.buffer.onBufferChange(repainted);
  }
}
