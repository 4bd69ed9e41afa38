import type { Clock } from "@berth/base";

interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

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
  #sleepers: Sleeper[] = [];
  #busy = 0;
  #timer: NodeJS.Timeout | undefined;
  #utilization = performance.eventLoopUtilization();

  now(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
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
      this.#keepLooking();
    });
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
    this.#sleepers = [];
  }

  #keepLooking(): void {
    this.#timer ??= setTimeout(() => this.#look(), lookMs);
  }

  #look(): void {
    this.#timer = undefined;
    const { utilization } = performance.eventLoopUtilization(this.#utilization);
    this.#utilization = performance.eventLoopUtilization();
    if (this.#busy === 0 && utilization < maxUtilization) this.#wakeNext();
    if (this.#sleepers.length > 0) this.#keepLooking();
  }

  #wakeNext(): void {
    const nextMs = Math.min(...this.#sleepers.map(({ dueMs }) => dueMs));
    if (!Number.isFinite(nextMs)) return;
    this.#nowMs = Math.max(this.#nowMs, nextMs);
    const due = this.#sleepers.filter(({ dueMs }) => dueMs <= this.#nowMs);
    this.#sleepers = this.#sleepers.filter(({ dueMs }) => dueMs > this.#nowMs);
    for (const { wake } of due) wake();
  }
}
