import type { Terminal } from "@xterm/headless";

/** A colour as a program names one: `rgb:12/34/56`, `#123456`. Anything else is no colour to a viewer's terminal either. */
const spec = /^(?:rgb:[0-9a-f]{1,4}(?:\/[0-9a-f]{1,4}){2}|#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{9}|[0-9a-f]{12}))$/i;
/** Foreground, background, cursor. */
const dynamicColors = [10, 11, 12] as const;

/**
 * The colours that a program has set (OSC 4, 10, 11 and 12). A terminal without a display does not keep them. Bounded by
 * the 256 colours of the palette.
 */
export class Palette {
  readonly #indexed = new Map<number, string>();
  readonly #dynamic = new Map<number, string>();

  constructor({ parser }: Terminal) {
    // None of them is "handled": xterm goes on with its own handler.
    parser.registerOscHandler(4, (data) => this.#setIndexed(data));
    parser.registerOscHandler(104, (data) => this.#resetIndexed(data));
    for (const number of dynamicColors) {
      parser.registerOscHandler(number, (data) => this.#setDynamic(number, data));
      parser.registerOscHandler(number + 100, () => {
        this.#dynamic.delete(number);
        return false;
      });
    }
  }

  /** Sequences that give a terminal these colours and no others. */
  serialize(): string {
    const resets = ["104", ...dynamicColors.map((number) => number + 100)];
    const sets = [
      ...[...this.#indexed].map(([index, color]) => `4;${index};${color}`),
      ...[...this.#dynamic].map(([number, color]) => `${number};${color}`),
    ];
    return [...resets, ...sets].map((content) => `\x1b]${content}\x1b\\`).join("");
  }

  #setIndexed(data: string): false {
    const fields = data.split(";");
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const [index = "", color = ""] = fields.slice(at, at + 2);
      if (/^\d{1,3}$/.test(index) && Number(index) < 256 && spec.test(color)) this.#indexed.set(Number(index), color);
    }
    return false;
  }

  #resetIndexed(data: string): false {
    if (data === "") this.#indexed.clear();
    for (const index of data.split(";")) this.#indexed.delete(Number(index));
    return false;
  }

  /** Several colours in one sequence are meant for this one and those behind it. */
  #setDynamic(number: number, data: string): false {
    for (const [at, color] of data.split(";").entries()) {
      if (number + at <= 12 && spec.test(color)) this.#dynamic.set(number + at, color);
    }
    return false;
  }
}
