import type { Writable } from "node:stream";
import type { Failure } from "@berth/protocol";
import { type Style, styleFor } from "./style.ts";
import { table } from "./table.ts";

/** A stream that text goes to; a terminal says so, and how wide it is. */
export type TextStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

export interface OutputOptions {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Results as JSON. */
  readonly json: boolean;
  /** No progress and no remarks. */
  readonly quiet: boolean;
  /** Never colours, never redrawn lines. */
  readonly plain: boolean;
}

/** Where a command says things: results on the standard output, all else on the standard error. */
export class Output {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly json: boolean;
  readonly quiet: boolean;
  /** The look of what goes to the standard output. */
  readonly style: Style;
  /** The look of what goes to the standard error. */
  readonly noteStyle: Style;
  /** Progress may be redrawn in place. */
  readonly live: boolean;

  constructor({ stdout, stderr, json, quiet, plain }: OutputOptions) {
    this.stdout = stdout;
    this.stderr = stderr;
    this.json = json;
    this.quiet = quiet;
    this.style = styleFor(!plain && stdout.isTTY === true);
    this.noteStyle = styleFor(!plain && stderr.isTTY === true);
    this.live = !plain && !quiet && stderr.isTTY === true;
  }

  /** The result of a command: its value as one line of JSON, or its words. */
  result(value: unknown, words: () => string): void {
    this.write(this.json ? `${JSON.stringify(value)}\n` : words());
  }

  /** One value of a stream of them: a line of JSON, or its words. */
  item(value: unknown, words: () => string | undefined): void {
    const text = this.json ? `${JSON.stringify(value)}\n` : words();
    if (text !== undefined) this.write(text);
  }

  /** One of many values of JSON; resolves when it has been written, so that a slow reader slows whoever makes them. */
  line(value: unknown): Promise<void> {
    return new Promise((resolve) => this.stdout.write(`${JSON.stringify(value)}\n`, () => resolve()));
  }

  /** Rows; with `quiet` the first column alone, for scripts. */
  table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
    if (this.quiet) return rows.map(([first]) => `${first ?? ""}\n`).join("");
    return table(
      heading.map((cell) => this.style("bold", cell)),
      rows,
    );
  }

  write(text: string): void {
    this.stdout.write(text);
  }

  /** A remark, which is no result; a line of JSON where all is JSON. */
  note(text: string): void {
    if (this.quiet) return;
    this.stderr.write(this.json ? `${JSON.stringify({ note: text })}\n` : `${text}\n`);
  }

  /** Why the command failed: never left out. */
  failure(failure: Failure): void {
    if (this.json) {
      this.stderr.write(`${JSON.stringify(failure)}\n`);
      return;
    }
    this.stderr.write(`${this.noteStyle("red", "berth:")} ${failure.message}\n`);
    if (failure.hint !== undefined) this.stderr.write(`${this.noteStyle("dim", failure.hint)}\n`);
  }
}
