interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

/** Who sleeps by a clock of a test, and until when. */
export class Sleepers {
  #waiting: readonly Sleeper[] = [];

  get count(): number {
    return this.#waiting.length;
  }

  /** When the next one is due; undefined when nobody sleeps. */
  get nextMs(): number | undefined {
    return this.#waiting.length === 0 ? undefined : Math.min(...this.#waiting.map(({ dueMs }) => dueMs));
  }

  /** Sleeps until it is taken and woken. Rejects with the signal's reason. */
  sleep(dueMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const sleeper: Sleeper = {
        dueMs,
        wake: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting = [...this.#waiting, sleeper];
    });
  }

  /** Takes out who is due by then, those who began to sleep first in front. */
  takeDue(untilMs: number): readonly Sleeper[] {
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= untilMs);
    this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > untilMs);
    return due;
  }

  /** Takes out the one who is due first, if by then; of several, who began to sleep first. */
  takeNext(untilMs: number): Sleeper | undefined {
    const { nextMs } = this;
    if (nextMs === undefined || nextMs > untilMs) return undefined;
    const next = this.#waiting.find(({ dueMs }) => dueMs === nextMs);
    this.#waiting = this.#waiting.filter((other) => other !== next);
    return next;
  }

  clear(): void {
    this.#waiting = [];
  }
}
