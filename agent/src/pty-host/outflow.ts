import { limits } from "./limits.ts";

/**
 * When new output goes to the viewers: at once while there is little, and in a flood when a frame is full or
 * `limits.coalesceMs` have passed.
 */
export class Outflow {
  readonly #flush: () => void;
  readonly #now: () => number;
  #pendingBytes = 0;
  #recentBytes = 0;
  #recentSinceMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(flush: () => void, now: () => number = () => performance.now()) {
    this.#flush = flush;
    this.#now = now;
  }

  grew(bytes: number): void {
    const now = this.#now();
    if (now - this.#recentSinceMs > limits.coalesceMs) {
      this.#recentBytes = 0;
      this.#recentSinceMs = now;
    }
    this.#recentBytes += bytes;
    this.#pendingBytes += bytes;
    const flood = this.#recentBytes > limits.floodBytes || this.#timer !== undefined;
    if (!flood || this.#pendingBytes >= limits.frameBytes) this.flush();
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
