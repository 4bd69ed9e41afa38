import { limits } from "./limits.ts";

/**
 * When new output goes to the viewers: at once while there is little, and in a flood when a frame is all but full or
 * `limits.coalesceMs` have passed.
 */
export class Outflow {
  readonly #flush: () => void;
  readonly #now: () => number;
  #pendingBytes = 0;
  #recentBytes = 0;
  #recentSinceMs = 0;
  /** The stretch of time before the present one was part of a flood: this one is until it shows otherwise. */
  #flooded = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(flush: () => void, now: () => number = () => performance.now()) {
    this.#flush = flush;
    this.#now = now;
  }

  grew(bytes: number): void {
    const now = this.#now();
    const sinceMs = now - this.#recentSinceMs;
    if (sinceMs > limits.coalesceMs) {
      this.#flooded = this.#recentBytes > limits.floodBytes && sinceMs <= 2 * limits.coalesceMs;
      this.#recentBytes = 0;
      this.#recentSinceMs = now;
    }
    this.#recentBytes += bytes;
    this.#pendingBytes += bytes;
    const flood = this.#flooded || this.#recentBytes > limits.floodBytes || this.#timer !== undefined;
    // Another read like this one would begin a second frame, of next to nothing.
    const full = this.#pendingBytes + bytes > limits.frameBytes;
    if (!flood || full) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), limits.coalesceMs);
  }

  /** Sends what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pendingBytes = 0;
    this.#flush();
  }
}
