/** Says on the terminal what the start is doing, a line a step. It is for people; the log is for machines. */
export class Progress {
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void = (text) => process.stderr.write(text)) {
    this.#write = write;
  }

  step(text: string): void {
    this.#write(`berth: ${text}\n`);
  }

  /** The last word: where the console is, and how to get in. */
  ready(url: string, setupLink: string | undefined): void {
    const lines = ["", `  Berth is ready:  ${url}`];
    if (setupLink)
      lines.push("", "  Set the admin's password with this link, once and within an hour:", `  ${setupLink}`);
    lines.push("", `  From a terminal:  ./scripts/berth login ${url}`);
    this.#write(`${lines.join("\n")}\n\n`);
  }
}
