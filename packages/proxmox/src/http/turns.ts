import { after, type Clock } from "@berth/base";

/** Exchanges that one server gets at a time: as many as PVE has workers by default (`pvedaemon`: 3), and one more. */
const places = 4;
/** How long an exchange waits for a place before it takes one of its own, in milliseconds. */
const patienceMs = 200;

/**
 * Lets exchanges wait a moment for each other, so that a few connections serve a crowd of them: a TLS handshake costs
 * more than most calls do. Nobody waits for long, since some calls take a minute.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs the exchange when it is its turn; rejects with the signal's reason when aborted before. */
  async run<T>(exchange: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.#running >= places) await this.#wait(signal);
    signal?.throwIfAborted();
    this.#running += 1;
    try {
      return await exchange();
    } finally {
      this.#running -= 1;
      this.#callNext();
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        callOff();
        signal?.removeEventListener("abort", go);
        this.#waiting.delete(go);
        resolve();
      };
      const callOff = after(this.#clock, patienceMs, go);
      signal?.addEventListener("abort", go, { once: true });
      this.#waiting.add(go);
    });
  }

  #callNext(): void {
    const [first] = this.#waiting;
    if (first && this.#running < places) first();
  }
}
