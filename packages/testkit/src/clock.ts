import type { Clock } from "@berth/base";

interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

/** A clock that stands still until the test moves it. */
export class ManualClock implements Clock {
  #nowMs: number;
  #sleepers: Sleeper[] = [];

  /** Starts at so many milliseconds since the Unix epoch. */
  constructor(startMs = Date.UTC(2030, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** How many sleeps have not ended. */
  get pending(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const sleeper: Sleeper = {
        dueMs: this.#nowMs + Math.max(0, ms),
        wake: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /**
   * Moves the time on and ends the sleeps that fall due, in their order, each at its own time. What a sleeper does next
   * (another sleep included) happens before the following one wakes.
   */
  async advance(ms: number): Promise<void> {
    const targetMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#takeDue(targetMs); next; next = this.#takeDue(targetMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.wake();
      await settled();
    }
    this.#nowMs = targetMs;
  }

  #takeDue(targetMs: number): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (sleeper.dueMs <= targetMs && (!first || sleeper.dueMs < first.dueMs)) first = sleeper;
    }
    if (first) this.#sleepers = this.#sleepers.filter((other) => other !== first);
    return first;
  }
}

/** Lets everything run that waits for promises alone. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
