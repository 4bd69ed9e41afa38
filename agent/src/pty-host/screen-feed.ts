import { AwakeScreens } from "./awake-screens.ts";
import { limits } from "./limits.ts";
import { RestingScreen } from "./resting-screen.ts";
import type { OutputRing } from "./ring.ts";
import type { ScreenModel } from "./screen-model.ts";
import type { Size } from "./size.ts";
import type { Snapshot } from "./snapshot.ts";

/** What a model leaves on the heap, about, and each of its lines beside its cells. */
const modelBytes = 200_000;
const lineBytes = 256;
/** Begins what may set the title (OSC), as an escape sequence and as one character. */
const titleStarts = [Buffer.from("\x1b]"), Buffer.from("\u009d")];

/**
 * Brings the output of a ring to a screen model, off the hot path: in batches, with rests between them unless somebody
 * waits. A flood that outruns the ring is waited out, since the model must then begin anew at the ring's tail.
 *
 * After a while without output the model is put to rest: what it shows is kept, and the model made again of it once
 * somebody asks for more than that, or output comes that is much or may set the title.
 */
export class ScreenFeed {
  readonly #ring: OutputRing;
  readonly #awake: AwakeScreens;
  #screen: ScreenModel | RestingScreen;
  #parsedOffset: number;
  /** Of the output that came while the model rested, what was looked at. */
  #lookedOffset = 0;
  #restTimer: NodeJS.Timeout | undefined;
  #quietSince = 0;
  /** Those who need the model to stay. */
  #holds = 0;
  /** How often it has run: whoever writes the model down sees by it whether the model is the same still. */
  #runs = 0;
  /** Sizes that take effect where the output had come to when they were set. */
  #resizes: { offset: number; cols: number; rows: number }[] = [];
  #waiters: { offset: number; resolve: (model: ScreenModel) => void }[] = [];
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  readonly #followers = new Set<() => void | Promise<void>>();
  #running = false;
  #stopped = false;
  /** Where the output had come to at the last look at a flood that has outrun the ring. */
  #floodOffset: number | undefined;

  /** Feeds what the ring has from `parsedOffset` on. */
  constructor(
    ring: OutputRing,
    screen: ScreenModel | RestingScreen,
    parsedOffset: number,
    awake: AwakeScreens = new AwakeScreens(),
  ) {
    this.#ring = ring;
    this.#screen = screen;
    this.#parsedOffset = parsedOffset;
    this.#awake = awake;
  }

  /** The size of the screen, and its title, where the output has been parsed to. */
  get size(): Size {
    const { cols, rows } = this.#screen;
    return { cols, rows };
  }

  get title(): string {
    return this.#screen.title;
  }

  /** There is no model at present. */
  get rests(): boolean {
    return this.#screen instanceof RestingScreen;
  }

  /** What the model shows is the output up to here. */
  get parsedOffset(): number {
    return this.#parsedOffset;
  }

  /** A flood has outrun the ring, and is waited out: nothing is parsed until it ends or somebody asks. */
  get outrun(): boolean {
    return this.#floodOffset !== undefined || this.#parsedOffset < this.#ring.startOffset;
  }

  /** The ring has more. */
  grew(): void {
    if (this.#running || this.#timer || (this.rests && !this.#mustWake())) return;
    this.#rest(this.rests ? limits.wakeLookMs : limits.coalesceMs * 4);
  }

  /** The terminal has another size from the ring's present end on. */
  resize(cols: number, rows: number): void {
    // Behind a flood that outran the ring only the last size will matter.
    if (this.outrun) this.#resizes = [];
    this.#resizes.push({ offset: this.#ring.endOffset, cols, rows });
    this.#hurry();
  }

  /**
   * Resolves once the model shows all that the ring has now, to the model; until the caller next yields, it shows nothing
   * later, and then it may be put to rest unless it is held.
   */
  caughtUp(): Promise<ScreenModel> {
    return new Promise((resolve) => {
      this.#waiters.push({ offset: this.#ring.endOffset, resolve });
      this.#hurry();
    });
  }

  /** Resolves in the turn in which the snapshot is true. */
  async snapshot(scrollbackLines: number): Promise<Snapshot> {
    const kept = this.#keptSnapshot(scrollbackLines);
    if (kept) return kept;
    const model = await this.caughtUp();
    const { cols, rows } = model;
    const bytes = model.snapshot(scrollbackLines);
    return { bytes, offset: this.#parsedOffset, cols, rows, approximate: model.snapshotApproximate };
  }

  /** Keeps the model from being put to rest, once it is awake; answers how to let go. */
  hold(): () => void {
    this.#holds += 1;
    return () => {
      this.#holds -= 1;
      this.#restSoon();
    };
  }

  /** A feed that goes on with the same screen from the start of another ring. This one must have caught up; it ends. */
  continueWith(ring: OutputRing): ScreenFeed {
    this.stop();
    return new ScreenFeed(ring, this.#screen, 0, this.#awake);
  }

  /**
   * Calls back after each batch, before the next one; the time that this takes counts as the batch's. It must neither
   * reject nor wait for `caughtUp`. Answers how to stop.
   */
  follow(follower: () => void | Promise<void>): () => void {
    const letGo = this.hold();
    this.#followers.add(follower);
    // What came meanwhile may have left the model at rest.
    this.#hurry();
    return () => {
      if (this.#followers.delete(follower)) letGo();
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#clearTimer();
    clearTimeout(this.#restTimer);
    this.#awake.ended(this);
    // Those who wait while the model wakes are told when it is there.
    if (!(this.#screen instanceof RestingScreen)) this.#settleAll(this.#screen);
  }

  /** Stops, and gives the model up. */
  dispose(): void {
    this.stop();
    if (!(this.#screen instanceof RestingScreen)) this.#screen.dispose();
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
    this.#runs += 1;
    clearTimeout(this.#restTimer);
    // In a flood a model would only be made to be outrun.
    if (this.rests && this.#waitsOutFlood()) return this.#lookForCalm();
    const model = await this.#wake();
    this.#awake.used(this);
    if (this.#stopped) this.#settleAll(model);
    while (!this.#stopped) {
      const began = performance.now();
      this.#applyResizes(model);
      await this.#settleWaiters(model);
      if (this.#parsedOffset === this.#ring.endOffset && this.#resizes.length === 0) {
        if (this.#waiters.length === 0) break;
        continue;
      }
      if (this.#waitsOutFlood()) return this.#lookForCalm();
      // While the tail is parsed, too, a flood may go past it.
      if (this.#parsedOffset < this.#ring.startOffset) await this.#skipToTail(model);
      else await this.#parseBatch(model);
      this.#applyResizes(model);
      await this.#settleWaiters(model);
      if (this.#followers.size > 0) await this.#tellFollowers();
      if (this.#waiters.length > 0 || this.#resizes.length > 0) continue;
      this.#running = false;
      if (this.#parsedOffset < this.#ring.endOffset) this.#rest((performance.now() - began) * limits.parseRestFactor);
      else this.#restSoon();
      return;
    }
    this.#running = false;
    this.#restSoon();
  }

  async #parseBatch(model: ScreenModel): Promise<void> {
    const end = Math.min(
      this.#ring.endOffset,
      this.#parsedOffset + limits.parseBatchBytes,
      this.#resizes[0]?.offset ?? Number.POSITIVE_INFINITY,
    );
    await model.write(this.#ring.copy(this.#parsedOffset, end));
    this.#parsedOffset = end;
  }

  #lookForCalm(): void {
    this.#running = false;
    this.#rest(limits.calmLookMs);
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
  async #skipToTail(model: ScreenModel): Promise<void> {
    const end = this.#ring.endOffset;
    const tailBytes = this.#waiters.length > 0 ? limits.parseTailBytes : limits.ringBytes;
    const from = Math.max(this.#ring.startOffset, end - tailBytes);
    const tail = this.#ring.copy(from, end);
    // Behind a newline no sequence and no character is cut.
    const newline = tail.subarray(0, 4096).indexOf(0x0a);
    await model.skip();
    const last = this.#resizes.findLast((resize) => resize.offset <= end);
    this.#resizes = this.#resizes.filter((resize) => resize.offset > end);
    if (last) model.resize(last.cols, last.rows);
    for (let at = newline + 1; at < tail.byteLength; at += limits.parseBatchBytes) {
      await model.write(tail.subarray(at, at + limits.parseBatchBytes));
    }
    this.#parsedOffset = end;
  }

  async #tellFollowers(): Promise<void> {
    await Promise.all([...this.#followers].map((follower) => follower()));
  }

  #applyResizes(model: ScreenModel): void {
    while (this.#resizes[0] && this.#resizes[0].offset <= this.#parsedOffset) {
      const { cols, rows } = this.#resizes[0];
      model.resize(cols, rows);
      this.#resizes.shift();
    }
  }

  /** Lets them look before anything changes the model again. */
  async #settleWaiters(model: ScreenModel): Promise<void> {
    const reached = this.#waiters.filter((waiter) => waiter.offset <= this.#parsedOffset);
    this.#waiters = this.#waiters.filter((waiter) => waiter.offset > this.#parsedOffset);
    for (const { resolve } of reached) resolve(model);
  }

  #settleAll(model: ScreenModel): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve(model);
  }

  /** The snapshot of a screen that rests, where nothing has come since. */
  #keptSnapshot(scrollbackLines: number): Snapshot | undefined {
    if (this.#running || this.#parsedOffset !== this.#ring.endOffset || this.#resizes.length > 0) return undefined;
    if (!(this.#screen instanceof RestingScreen)) return undefined;
    const bytes = this.#screen.snapshot(scrollbackLines);
    if (!bytes) return undefined;
    const { cols, rows, approximate } = this.#screen;
    return { bytes, offset: this.#parsedOffset, cols, rows, approximate };
  }

  /** Whether what came since the model rests cannot wait until somebody asks. */
  #mustWake(): boolean {
    const { startOffset, endOffset } = this.#ring;
    if (endOffset - this.#parsedOffset >= limits.restedBytes) return true;
    // One byte again: a sequence may be cut in two.
    const from = Math.max(startOffset, this.#parsedOffset, this.#lookedOffset - 1);
    this.#lookedOffset = endOffset;
    const news = this.#ring.copy(from, endOffset);
    return titleStarts.some((start) => news.includes(start));
  }

  async #wake(): Promise<ScreenModel> {
    const isOutrun = this.#parsedOffset < this.#ring.startOffset;
    if (this.#screen instanceof RestingScreen) this.#screen = await this.#screen.wake(isOutrun ? "outrun" : "whole");
    return this.#screen;
  }

  #restSoon(): void {
    clearTimeout(this.#restTimer);
    if (this.#stopped || this.#holds > 0 || this.rests) return;
    this.#quietSince = performance.now();
    this.#awaitRest();
  }

  #awaitRest(): void {
    this.#restTimer = setTimeout(() => {
      if (this.#awake.mayStay(this, performance.now() - this.#quietSince)) this.#awaitRest();
      else void this.#putToRest();
    }, limits.restAfterMs);
    this.#restTimer.unref();
  }

  async #putToRest(): Promise<void> {
    const model = this.#screen;
    if (model instanceof RestingScreen) return;
    const runs = this.#runs;
    const isDisturbed = () => this.#stopped || this.#holds > 0 || this.#runs !== runs || this.#timer !== undefined;
    if (isDisturbed()) return;
    const resting = await RestingScreen.of(model, isDisturbed);
    if (!resting || isDisturbed()) return;
    this.#screen = resting;
    this.#lookedOffset = this.#parsedOffset;
    model.dispose();
    this.#awake.rested(this, modelBytes + resting.lines * lineBytes);
  }
}
