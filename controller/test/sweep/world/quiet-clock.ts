import type { Clock } from "@berth/base";
import { Sleepers } from "@berth/testkit";

/** Real milliseconds between two looks at whether anything still happens. */
const lookMs = 1;
/** Share of the time between two looks in which the process had something to do: below, it waits. */
const maxUtilization = 0.5;

/**
 * A clock whose time passes while nothing happens: once the process only waits, and nobody has said that it is busy
 * with the outside (PostgreSQL), the time jumps to where the next sleeper wakes. Minutes of waiting so cost as many
 * milliseconds as there are sleeps in them, and what really takes time takes none of the clock's.
 */
export class QuietClock implements Clock {
  #nowMs = Date.now();
  readonly #sleepers = new Sleepers();
  #busy = 0;
  #timer: NodeJS.Timeout | undefined;
  #utilization = performance.eventLoopUtilization();

  now(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    // Whole milliseconds, as of every clock: a backoff has fractions.
    const slept = this.#sleepers.sleep(this.#nowMs + Math.ceil(Math.max(0, ms)), signal);
    this.#keepLooking();
    return slept;
  }

  /** Work outside of the process, during which no time passes. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
    }
  }

  /** Stops the time for good. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#sleepers.clear();
  }

  #keepLooking(): void {
    this.#timer ??= setTimeout(() => this.#look(), lookMs);
  }

  #look(): void {
    this.#timer = undefined;
    const { utilization } = performance.eventLoopUtilization(this.#utilization);
    this.#utilization = performance.eventLoopUtilization();
    if (this.#busy === 0 && utilization < maxUtilization) this.#wakeNext();
    if (this.#sleepers.count > 0) this.#keepLooking();
  }

  #wakeNext(): void {
    const { nextMs } = this.#sleepers;
    if (nextMs === undefined) return;
    this.#nowMs = Math.max(this.#nowMs, nextMs);
    for (const { wake } of this.#sleepers.takeDue(this.#nowMs)) wake();
  }
}
