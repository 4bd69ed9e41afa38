/** How fast the screen of a browser takes output, in bytes a millisecond. */
export const browserBytesPerMs = 10_000;
/** Digested bytes after which an acknowledgement does not wait, and how long it waits otherwise: as the console does. */
const ackBytes = 32 * 1024;
const ackMs = 16;

/** The screen of a viewer: takes output at a pace, and acknowledges what it has digested. */
export class Digestion {
  readonly #bytesPerMs: number;
  readonly #acknowledge: (offset: number) => void;
  /** What is not yet acknowledged: where each frame ends, and when it is digested. */
  #frames: { end: number; atMs: number }[] = [];
  #end = 0;
  #acked = 0;
  #digestedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `bytesPerMs` undefined: at once. */
  constructor(bytesPerMs: number | undefined, acknowledge: (offset: number) => void) {
    this.#bytesPerMs = bytesPerMs ?? Number.POSITIVE_INFINITY;
    this.#acknowledge = acknowledge;
  }

  /** Output begins at an offset: what came before it does not count any more. */
  begin(offset: number): void {
    this.stop();
    this.#end = offset;
    this.#acked = offset;
    // The first acknowledgement turns flow control on.
    this.#acknowledge(offset);
  }

  /** A frame has come. Answers when it is digested. */
  take(bytes: number): number {
    this.#digestedAtMs = Math.max(this.#digestedAtMs, performance.now()) + bytes / this.#bytesPerMs;
    this.#end += bytes;
    this.#frames.push({ end: this.#end, atMs: this.#digestedAtMs });
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY && this.#end - this.#acked >= ackBytes) this.#tell();
    else this.#timer ??= setTimeout(() => this.#tell(), this.#waitMs());
    return this.#digestedAtMs;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#frames = [];
  }

  /** Until enough is digested to be told, a frame of the display at most. */
  #waitMs(): number {
    const enough = this.#frames.find(({ end }) => end - this.#acked >= ackBytes);
    return Math.min(ackMs, Math.max(0, (enough?.atMs ?? Number.POSITIVE_INFINITY) - performance.now()));
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const now = performance.now();
    const digested = this.#frames.findLast(({ atMs }) => atMs <= now);
    if (digested) {
      this.#frames = this.#frames.filter(({ end }) => end > digested.end);
      this.#acked = digested.end;
      this.#acknowledge(digested.end);
    }
    if (this.#frames.length > 0) this.#timer = setTimeout(() => this.#tell(), Math.max(1, this.#waitMs()));
  }
}
