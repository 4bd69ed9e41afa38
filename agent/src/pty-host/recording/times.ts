import { limits } from "../limits.ts";
import type { Size } from "../size.ts";

/** What happened at an offset of the output, in milliseconds since 1970. `output`: the bytes from there on came. */
export type TimedEvent =
  | { readonly kind: "output"; readonly offset: number; readonly atMs: number }
  | { readonly kind: "resize"; readonly offset: number; readonly atMs: number; readonly size: Size }
  | { readonly kind: "exit"; readonly offset: number; readonly atMs: number; readonly status: number };

/**
 * The time of day as it was when this process started, and from then on by a clock that nobody sets: a recording's times
 * do not run backwards when the machine's clock is put right.
 */
export function recordingNowMs(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}

/** The times of a terminal's output in one epoch that are not yet on disk. */
export class OutputTimes {
  /** Where in the epoch the recording begins. */
  readonly fromOffset: number;
  readonly #now: () => number;
  #pending: TimedEvent[] = [];
  #markedAtMs = 0;
  /** What held at the last event that was written: its time, and the size from there on. */
  #written: { atMs: number; size: Size };

  constructor(fromOffset: number, size: Size, now: () => number = recordingNowMs) {
    this.fromOffset = fromOffset;
    this.#now = now;
    this.#written = { atMs: now(), size };
  }

  /** Output comes, and the first of it will have this offset. On the hot path. */
  mark(offset: number): void {
    const atMs = this.#now();
    if (atMs - this.#markedAtMs < limits.timeMarkMs) return;
    this.#markedAtMs = atMs;
    this.#add({ kind: "output", offset, atMs });
  }

  /** The terminal has another size from this offset on. */
  resized(offset: number, { cols, rows }: Size): void {
    this.#add({ kind: "resize", offset, atMs: this.#now(), size: { cols, rows } });
  }

  /** The program ended here. */
  exited(offset: number, status: number): void {
    this.#add({ kind: "exit", offset, atMs: this.#now(), status });
  }

  /** What held before the first of `upTo`. */
  get before(): { readonly atMs: number; readonly size: Size } {
    return this.#written;
  }

  /** What is to be written with the output before `end`, in order. */
  upTo(end: number): readonly TimedEvent[] {
    const beyond = this.#pending.findIndex(({ kind, offset }) => (kind === "output" ? offset >= end : offset > end));
    return beyond < 0 ? this.#pending.slice() : this.#pending.slice(0, beyond);
  }

  /** These are on disk. */
  wrote(events: readonly TimedEvent[]): void {
    for (const event of events) {
      this.#written = { atMs: event.atMs, size: event.kind === "resize" ? event.size : this.#written.size };
    }
    const done = new Set(events);
    this.#pending = this.#pending.filter((event) => !done.has(event));
  }

  #add(event: TimedEvent): void {
    if (this.#pending.length >= limits.pendingTimes) this.#thinOut();
    this.#pending.push(event);
  }

  /** Nothing could be written for long: later ones tell more, and the last size holds. */
  #thinOut(): void {
    const lastResize = this.#pending.findLast(({ kind }) => kind === "resize");
    this.#pending = this.#pending.filter(
      (event, index) => index % 2 === 1 || event === lastResize || event.kind === "exit",
    );
  }
}
