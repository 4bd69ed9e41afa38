import type { Failure } from "@berth/protocol";
import type { CommandFailed } from "../failure.ts";
import type { Output } from "../output/output.ts";
import { harmless } from "../output/style.ts";
import { changeLines, presentChanges, presentResult } from "./present.ts";
import type { WatchState } from "./watch.ts";
import type { SyncWish } from "./wish.ts";

/** Shows how continuous syncing goes: a status line that is redrawn in a terminal, and lines of JSON with `--json`. */
export class WatchView {
  readonly #output: Output;
  readonly #wish: SyncWish;
  readonly #name: string;
  #synced = 0;
  #last = "";

  constructor(output: Output, wish: SyncWish, name: string) {
    this.#output = output;
    this.#wish = wish;
    this.#name = name;
  }

  show(state: WatchState): void {
    if (this.#output.json) this.#json(state);
    else this.#words(state);
  }

  /** Takes the status line away. */
  end(): void {
    this.#draw("");
  }

  #json(state: WatchState): void {
    switch (state.state) {
      case "syncing":
        this.#output.write(`${JSON.stringify({ state: "syncing" })}\n`);
        break;
      case "paused":
        this.#output.write(`${JSON.stringify({ state: "paused", error: failureOf(state.error) })}\n`);
        break;
      case "watching": {
        const changes = presentChanges(state.report, this.#wish.direction);
        const result = presentResult(state.report);
        this.#output.write(`${JSON.stringify({ state: "watching", result, changes })}\n`);
      }
    }
  }

  #words(state: WatchState): void {
    const way = this.#wish.direction === "push" ? `to ${this.#name}` : `from ${this.#name}`;
    switch (state.state) {
      case "syncing":
        this.#draw(`▸ ${way}: syncing`);
        break;
      case "paused":
        this.#status(`‖ ${way}: paused: ${harmless(state.error.message)}`);
        break;
      case "watching": {
        const { counts } = state.report;
        this.#draw("");
        if (!this.#output.quiet) this.#output.write(changeLines(presentChanges(state.report, this.#wish.direction)));
        this.#synced += counts.create + counts.update + counts.delete;
        const conflicts = counts.conflict === 0 ? "" : `, ${counts.conflict} in conflict (decide with --take)`;
        const at = new Date(state.at).toTimeString().slice(0, 8);
        this.#status(`● ${way}: in accord at ${at}, ${this.#synced} synced${conflicts}`, `${counts.conflict}`);
      }
    }
  }

  /** Redrawn in place, or a line where that is news: `key` says what counts as such. */
  #status(text: string, key = text): void {
    if (this.#output.live) this.#draw(text);
    else if (this.#last !== key) this.#output.note(text);
    this.#last = key;
  }

  #draw(text: string): void {
    const { live, json, stderr } = this.#output;
    if (live && !json) stderr.write(`\r\x1b[K${text.slice(0, (stderr.columns || 80) - 1)}`);
  }
}

function failureOf({ code, message, hint }: CommandFailed): Failure {
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
