import type { Clock } from "@berth/base";

const limits = {
  /** Failures that cost nothing. */
  freeFailures: 5,
  firstWaitMs: 1_000,
  maxWaitMs: 60_000,
  /** Failures are forgotten after so long without another. */
  forgetMs: 15 * 60_000,
  /** Keys that are remembered; beyond that the oldest go. */
  maxKeys: 10_000,
} as const;

interface Record {
  failures: number;
  lastMs: number;
}

/** Makes guessing slow: after some failures under a key (an address, a user name) each costs twice the wait before. */
export class Throttle {
  readonly #clock: Clock;
  readonly #records = new Map<string, Record>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Begins an attempt under all of these keys: 0, or the milliseconds to wait before another may begin. An attempt
   * counts as failed until `succeed` is called, so that many at once are no way around it.
   */
  begin(keys: readonly string[]): number {
    const waitMs = this.waitMs(keys);
    if (waitMs === 0) for (const key of keys) this.#fail(key, this.#clock.now());
    return waitMs;
  }

  /** The milliseconds until an attempt under all of these keys may begin. */
  waitMs(keys: readonly string[]): number {
    const now = this.#clock.now();
    return Math.max(0, ...keys.map((key) => this.#waitMs(key, now)));
  }

  succeed(keys: readonly string[]): void {
    for (const key of keys) this.#records.delete(key);
  }

  #waitMs(key: string, now: number): number {
    const record = this.#records.get(key);
    if (!record || now - record.lastMs > limits.forgetMs || record.failures < limits.freeFailures) return 0;
    const wait = Math.min(limits.maxWaitMs, limits.firstWaitMs * 2 ** (record.failures - limits.freeFailures));
    return Math.max(0, record.lastMs + wait - now);
  }

  #fail(key: string, now: number): void {
    const before = this.#records.get(key);
    const failures = before && now - before.lastMs <= limits.forgetMs ? before.failures + 1 : 1;
    // Deleted first, so that the map's order is that of the last failures.
    this.#records.delete(key);
    this.#records.set(key, { failures, lastMs: now });
    const oldest = this.#records.keys().next();
    if (this.#records.size > limits.maxKeys && !oldest.done) this.#records.delete(oldest.value);
  }
}
