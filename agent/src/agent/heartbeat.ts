import type { Clock } from "@berth/base";

/** What a heartbeat needs of a WebSocket. */
export interface BeatingSocket {
  on(event: "message" | "ping" | "pong", listener: () => void): unknown;
  ping(): void;
  terminate(): void;
}

/**
 * How often the agent looks, in milliseconds, however seldom the controller does. A link that died without a word is so
 * ended within 15 seconds, before TCP's own repetitions, which double their distance, would make it slower to come back
 * than a new one.
 */
const maxBeatMs = 3_000;
/**
 * Beats without a sign of life before the controller is asked for one: an agent has one link, a controller a thousand, and
 * each answer is its work.
 */
const quietBeats = 3;
/** Beats without a sign of life that a link survives. Not a time: in a container that is frozen nobody listens. */
const maxSilentBeats = 4;

/** Asks for a sign of life when none came for some beats, and ends a link that stays silent. */
export class Heartbeat {
  readonly #socket: BeatingSocket;
  readonly #clock: Clock;
  readonly #onBeat: () => void;
  #current = new AbortController();
  #silentBeats = 0;

  /** Begins at once. `onBeat` is called at each beat. */
  constructor(socket: BeatingSocket, clock: Clock, onBeat: () => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onBeat = onBeat;
    for (const event of ["message", "ping", "pong"] as const) {
      socket.on(event, () => {
        this.#silentBeats = 0;
      });
    }
    this.start(maxBeatMs);
  }

  /** Beats from now on in this rhythm, in milliseconds, or in a quicker one. */
  start(everyMs: number): void {
    this.stop();
    this.#current = new AbortController();
    void this.#run(Math.min(everyMs, maxBeatMs), this.#current.signal);
  }

  stop(): void {
    this.#current.abort();
  }

  async #run(everyMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(everyMs, signal).catch(() => {});
      if (signal.aborted) return;
      this.#onBeat();
      if (this.#silentBeats >= maxSilentBeats) {
        this.#socket.terminate();
        return;
      }
      this.#silentBeats += 1;
      if (this.#silentBeats >= quietBeats) this.#socket.ping();
    }
  }
}
