import { BerthError, type ScreenWaitParams } from "@berth/protocol";
import type { Channel, CloseReason } from "@berth/protocol/link";
import { limits } from "./limits.ts";
import { ScreenWait, type WaitedTerminal } from "./screen-wait.ts";

/** All callers that wait for the screen of one terminal. */
export class ScreenWaits {
  readonly #terminal: Omit<WaitedTerminal, "left">;
  readonly #waits = new Set<ScreenWait>();

  constructor(terminal: Omit<WaitedTerminal, "left">) {
    this.#terminal = terminal;
  }

  get size(): number {
    return this.#waits.size;
  }

  /** Serves the channel of a wait until it closes. */
  async open(channel: Channel, params: ScreenWaitParams): Promise<void> {
    if (this.#waits.size >= limits.maxWaitsPerTerminal) {
      channel.close({ code: "limit_exceeded", detail: "too many calls wait for this terminal" });
      return;
    }
    const { content, meta } = this.#terminal;
    // Its handlers must be there before this turn ends.
    const wait = new ScreenWait({ content, meta, left: (gone) => this.#waits.delete(gone) }, channel, params);
    this.#waits.add(wait);
    try {
      await wait.begin();
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      wait.close({ code: error.code, detail: error.message });
    }
  }

  /** The program has ended, after the last byte of the ring. */
  exited(): void {
    for (const wait of this.#waits) void wait.exited();
  }

  closeAll(reason: CloseReason): void {
    for (const wait of [...this.#waits]) wait.close(reason);
  }
}
