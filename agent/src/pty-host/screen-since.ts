import { limits } from "./limits.ts";
import type { OutputRing } from "./ring.ts";
import { ScreenModel } from "./screen-model.ts";
import { ScreenSearch } from "./screen-search.ts";

/** Cells of scrollback: what scrolls through within one batch of output, and a few megabytes. */
const scrollbackCells = 250_000;
const maxScrollbackLines = 2_000;
/** Output between two looks, in bytes: its lines fit into the scrollback. */
const lookBytes = 16 * 1024;

/**
 * Looks for a text in what was written behind a place of the output: on a screen that had nothing then, so that what was
 * there before does not count. Where the cursor was then is not known; it begins at the bottom, where shells are and
 * where no line is lost by moving up.
 */
export class ScreenSince {
  readonly #ring: OutputRing;
  readonly #model: ScreenModel;
  readonly #search: ScreenSearch;
  #offset: number;

  /** Begins at `offset`, or at the oldest byte that the ring still has. */
  constructor(ring: OutputRing, offset: number, size: { cols: number; rows: number }, text: string) {
    this.#ring = ring;
    this.#offset = offset;
    const lines = Math.min(maxScrollbackLines, Math.ceil(scrollbackCells / size.cols));
    this.#model = new ScreenModel(size.cols, size.rows, lines);
    this.#model.terminal.write(`\x1b[${size.rows};1H`);
    this.#search = new ScreenSearch(this.#model, text);
  }

  /** Whether the text was written up to `end`; goes on from where it looked last. Not to be called while it runs. */
  async look(end: number, size: { cols: number; rows: number }): Promise<boolean> {
    if (size.cols !== this.#model.cols || size.rows !== this.#model.rows) this.#model.resize(size.cols, size.rows);
    for (;;) {
      // The ring may have moved on while the last batch was parsed.
      const from = Math.max(this.#offset, this.#ring.startOffset);
      const to = Math.min(end, from + Math.min(lookBytes, limits.parseBatchBytes));
      if (from >= to) return false;
      await this.#model.write(this.#ring.copy(from, to));
      this.#offset = to;
      if (this.#search.look()) return true;
    }
  }

  dispose(): void {
    this.#search.stop();
    this.#model.dispose();
  }
}
