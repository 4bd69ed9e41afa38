import type { AttachScreen } from "../../src/viewer/options.ts";
import type { TerminalSize } from "../../src/viewer/viewer-size.ts";
import { reset, textOf } from "./fake-terminal.ts";

/** A screen that shows all it was given since the last reset, and digests when it is told to. */
export class FakeScreen implements AttachScreen {
  shown = "";
  readonly sizes: TerminalSize[] = [];
  #digesting: (() => void)[] = [];

  write(bytes: Uint8Array, digested: () => void): void {
    const text = textOf(bytes);
    const at = text.lastIndexOf(reset);
    this.shown = at < 0 ? this.shown + text : text.slice(at + reset.length);
    this.#digesting.push(digested);
  }

  resized(size: TerminalSize): void {
    this.sizes.push(size);
  }

  digest(count = Number.POSITIVE_INFINITY): void {
    for (let left = count; left > 0; left -= 1) {
      const next = this.#digesting.shift();
      if (!next) return;
      next();
    }
  }
}
