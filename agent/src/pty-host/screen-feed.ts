import { limits } from "./limits.ts";
import type { OutputRing } from "./ring.ts";
import type { ScreenModel } from "./screen-model.ts";

/**
 * Brings the output of a ring to a screen model, off the hot path: in batches, with rests between them unless somebody
 * waits. A flood that outruns the ring is waited out, since the model must then begin anew at the ring's tail. Model
 * and feed are asked by promises only, so they can move to a worker thread.
 */
export class ScreenFeed {
  readonly #ring: OutputRing;
  readonly #model: ScreenModel;
  #parsedOffset: number;
  /** Sizes that take effect where the output had come to when they were set. */
  #resizes: { offset: number; cols: number; rows: number }[] = [];
  #waiters: { offset: number; resolve: () => void }[] = [];
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  readonly #followers = new Set<() => void | Promise<void>>();
  #running = false;
  #stopped = false;
  /** Where the output had come to at the last look at a flood that has outrun the ring. */
  #floodOffset: number | undefined;

  /** Feeds what the ring has from `parsedOffset` on. */
  constructor(ring: OutputRing, model: ScreenModel, parsedOffset: number) {
    this.#ring = ring;
    this.#model = model;
    this.#parsedOffset = parsedOffset;
  }

  /** What the model shows is the output up to here. */
  get parsedOffset(): number {
    return this.#parsedOffset;
  }

  /** A flood has outrun the ring and is waited out: nothing is parsed until it ends or somebody asks. */
  get outrun(): boolean {
    return this.#floodOffset !== undefined;
  }

  /** The ring has more. */
  grew(): void {
    if (!this.#running && !this.#timer) this.#rest(limits.coalesceMs * 4);
  }

  /** The terminal has another size from the ring's present end on. */
  resize(cols: number, rows: number): void {
    // Behind a flood that outran the ring only the last size will matter.
    if (this.outrun) this.#resizes = [];
    this.#resizes.push({ offset: this.#ring.endOffset, cols, rows });
    this.#hurry();
  }

  /** Resolves once the model shows all that the ring has now; until the caller next yields, it shows nothing later. */
  caughtUp(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push({ offset: this.#ring.endOffset, resolve });
      this.#hurry();
    });
  }

  /**
   * Calls back after each batch, before the next one; the time that this takes counts as the batch's. It must neither
   * reject nor wait for `caughtUp`. Answers how to stop.
   */
  follow(follower: () => void | Promise<void>): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  stop(): void {
    this.#stopped = true;
    this.#clearTimer();
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  #hurry(): void {
    if (this.#running) return;
    this.#clearTimer();
    void this.#run();
  }

  #rest(ms: number): void {
    this.#clearTimer();
    this.#timer = setTimeout(() => void this.#run(), ms);
    this.#timer.unref();
  }

  #clearTimer(): void {
    clearTimeout(this.#timer as NodeJS.Timeout);
    this.#timer = undefined;
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#running = true;
    while (!this.#stopped) {
      const began = performance.now();
      this.#applyResizes();
      await this.#settleWaiters();
      if (this.#parsedOffset === this.#ring.endOffset && this.#resizes.length === 0) {
        if (this.#waiters.length === 0) break;
        continue;
      }
      if (this.#waitsOutFlood()) {
        this.#running = false;
        this.#rest(limits.calmLookMs);
        return;
      }
      // While the tail is parsed, too, a flood may go past it.
      if (this.#parsedOffset < this.#ring.startOffset) await this.#skipToTail();
      else await this.#parseBatch();
      this.#applyResizes();
      await this.#settleWaiters();
      if (this.#followers.size > 0) await this.#tellFollowers();
      if (this.#waiters.length > 0 || this.#resizes.length > 0) continue;
      this.#running = false;
      if (this.#parsedOffset < this.#ring.endOffset) this.#rest((performance.now() - began) * limits.parseRestFactor);
      return;
    }
    this.#running = false;
  }

  async #parseBatch(): Promise<void> {
    const end = Math.min(
      this.#ring.endOffset,
      this.#parsedOffset + limits.parseBatchBytes,
      this.#resizes[0]?.offset ?? Number.POSITIVE_INFINITY,
    );
    await this.#model.write(this.#ring.copy(this.#parsedOffset, end));
    this.#parsedOffset = end;
  }

  #waitsOutFlood(): boolean {
    const { startOffset, endOffset } = this.#ring;
    const before = this.#floodOffset;
    this.#floodOffset = undefined;
    if (this.#parsedOffset >= startOffset || this.#waiters.length + this.#followers.size > 0) return false;
    if (before !== undefined && endOffset - before < limits.calmBytes) return false;
    this.#floodOffset = endOffset;
    return true;
  }

  /** Copies the tail before it parses any of it, so that it cannot be outrun again. */
  async #skipToTail(): Promise<void> {
    const end = this.#ring.endOffset;
    const tailBytes = this.#waiters.length > 0 ? limits.parseTailBytes : limits.ringBytes;
    const from = Math.max(this.#ring.startOffset, end - tailBytes);
    const tail = this.#ring.copy(from, end);
    // Behind a newline no sequence and no character is cut.
    const newline = tail.subarray(0, 4096).indexOf(0x0a);
    await this.#model.skip();
    const last = this.#resizes.findLast((resize) => resize.offset <= end);
    this.#resizes = this.#resizes.filter((resize) => resize.offset > end);
    if (last) this.#model.resize(last.cols, last.rows);
    for (let at = newline + 1; at < tail.byteLength; at += limits.parseBatchBytes) {
      await this.#model.write(tail.subarray(at, at + limits.parseBatchBytes));
    }
    this.#parsedOffset = end;
  }

  async #tellFollowers(): Promise<void> {
    await Promise.all([...this.#followers].map((follower) => follower()));
  }

  #applyResizes(): void {
    while (this.#resizes[0] && this.#resizes[0].offset <= this.#parsedOffset) {
      const { cols, rows } = this.#resizes[0];
      this.#model.resize(cols, rows);
      this.#resizes.shift();
    }
  }

  /** Lets them look before anything changes the model again. */
  async #settleWaiters(): Promise<void> {
    const reached = this.#waiters.filter((waiter) => waiter.offset <= this.#parsedOffset);
    this.#waiters = this.#waiters.filter((waiter) => waiter.offset > this.#parsedOffset);
    for (const { resolve } of reached) resolve();
  }
}
