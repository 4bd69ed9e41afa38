import type { Clock } from "@berth/base";
import type { SimulatedProcess } from "./process.ts";

interface Timer {
  readonly dueMs: number;
  readonly owner: SimulatedProcess | undefined;
  run(): void;
}

/** What `setTimeout` and its like answer here. */
class TimerHandle {
  timer: Timer | undefined;

  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  dateNow: Date.now,
  performanceNow: performance.now,
  random: Math.random,
};

/** Lets everything run that waits for promises alone. */
export function settled(): Promise<void> {
  return new Promise((resolve) => real.setImmediate(resolve));
}

/**
 * The time of a simulated world. While it is installed, the timers and clocks that programs find in the global scope are
 * its own: time moves only when a timer is fired, and each timer belongs to the process that was running when it was set.
 */
export class SimulatedTime implements Clock {
  #nowMs = 1_000_000;
  #timers: Timer[] = [];
  /** The process whose code is running. */
  current: SimulatedProcess | undefined;

  now(): number {
    return this.#nowMs;
  }

  /** When the next timer is due; undefined if there is none. */
  get nextMs(): number | undefined {
    let next: number | undefined;
    for (const { dueMs } of this.#timers) if (next === undefined || dueMs < next) next = dueMs;
    return next;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const timer = this.#add(ms, () => resolve());
      signal?.addEventListener("abort", () => {
        this.#remove(timer);
        reject(signal.reason);
      });
    });
  }

  /** Fires the timer that is due first; of several, the one that was set first. */
  fireNext(): void {
    const { nextMs } = this;
    const timer = this.#timers.find(({ dueMs }) => dueMs === nextMs);
    if (!timer) return;
    this.#remove(timer);
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    this.current = timer.owner;
    timer.run();
  }

  /** A process has died: its timers never fire. */
  forget(owner: SimulatedProcess): void {
    this.#timers = this.#timers.filter((timer) => timer.owner !== owner);
  }

  /** Puts this time, and the given randomness, in the place of the machine's. */
  install(random: () => number): void {
    const after = (ms: number | undefined, action: () => void) => {
      const handle = new TimerHandle();
      handle.timer = this.#add(ms ?? 0, action);
      return handle;
    };
    const every = (ms: number, action: () => void) => {
      const handle = new TimerHandle();
      const again = () => {
        handle.timer = this.#add(ms, again);
        action();
      };
      handle.timer = this.#add(ms, again);
      return handle;
    };
    const clear = (handle: unknown) => {
      if (handle instanceof TimerHandle && handle.timer) this.#remove(handle.timer);
    };
    Object.assign(globalThis, {
      setTimeout: (action: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
        after(ms, () => action(...args)),
      setInterval: (action: () => void, ms: number) => every(ms, action),
      setImmediate: (action: () => void) => after(0, action),
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
    });
    Date.now = () => this.#nowMs;
    performance.now = () => this.#nowMs;
    Math.random = random;
  }

  /** Gives the machine's own time and randomness back. */
  static uninstall(): void {
    const { dateNow, performanceNow, random, ...timers } = real;
    Object.assign(globalThis, timers);
    Date.now = dateNow;
    performance.now = performanceNow;
    Math.random = random;
  }

  #add(ms: number, run: () => void): Timer {
    const timer = { dueMs: this.#nowMs + Math.max(0, ms), owner: this.current, run };
    this.#timers.push(timer);
    return timer;
  }

  #remove(timer: Timer): void {
    const index = this.#timers.indexOf(timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }
}
