import type { Clock } from "@berth/base";
import { Sleepers } from "./sleepers.ts";

/** A clock that stands still until the test moves it. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #sleepers = new Sleepers();

  /** Starts at so many milliseconds since the Unix epoch. */
  constructor(startMs = Date.UTC(2030, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** How many sleeps have not ended. */
  get pending(): number {
    return this.#sleepers.count;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#sleepers.sleep(this.#nowMs + Math.max(0, ms), signal);
  }

  /**
   * Moves the time on and ends the sleeps that fall due, in their order, each at its own time. What a sleeper does next
   * (another sleep included) happens before the following one wakes.
   */
  async advance(ms: number): Promise<void> {
    const targetMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#sleepers.takeNext(targetMs); next; next = this.#sleepers.takeNext(targetMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.wake();
      await settled();
    }
    this.#nowMs = targetMs;
  }
}

/** Lets everything run that waits for promises alone. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
