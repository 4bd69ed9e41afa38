import { SerialQueue } from "@berth/base";
import { isErrno } from "@berth/base/node";
import { errorText, type Log } from "../log.ts";
import type { TerminalContent } from "./content.ts";
import { limits } from "./limits.ts";
import { type RecordingShelf, yieldSpace } from "./recording/shelf.ts";
import type { OutputTimes } from "./recording/times.ts";
import type { TerminalMeta, TerminalStore } from "./store.ts";

/** What is to be kept of a terminal. */
export interface Persisted {
  meta(): TerminalMeta;
  /** Undefined while nothing of an old terminal was asked for: then nothing of it can have changed. */
  content(): TerminalContent | undefined;
  /** Undefined while the terminal is not recorded. */
  times(): OutputTimes | undefined;
}

export interface PersistenceOptions {
  readonly store: TerminalStore;
  readonly source: Persisted;
  readonly shelf: RecordingShelf;
  readonly log: Log;
  /** Runs after each flush, for what need not be told more often. */
  afterFlush(): void;
}

/** Brings a terminal to disk within `limits.flushMs` of a change, never a write a chunk; one write at a time. */
export class Persistence {
  readonly #store: TerminalStore;
  readonly #source: Persisted;
  readonly #shelf: RecordingShelf;
  readonly #log: Log;
  readonly #afterFlush: () => void;
  readonly #writes = new SerialQueue();
  #timer: NodeJS.Timeout | undefined;
  #writtenMeta = "";
  /** The screen on disk: what of the epoch it has, its size, and when it was made, by a clock that nobody sets. */
  #screen = { offset: 0, cols: 0, rows: 0, atMs: Number.NEGATIVE_INFINITY };
  /** Where the output had come to at the last look at whether a screen is due. */
  #lookedOffset = 0;
  #failed = false;
  #closed = false;

  constructor(options: PersistenceOptions) {
    this.#store = options.store;
    this.#source = options.source;
    this.#shelf = options.shelf;
    this.#log = options.log;
    this.#afterFlush = () => options.afterFlush();
  }

  /** Something changed. */
  dirty(): void {
    if (this.#timer || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#writes.run(() => this.#flush(false));
    }, limits.flushMs);
  }

  /** Writes everything now, the screen too. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writes.run(() => this.#flush(true));
  }

  /** Writes the output that there is now. */
  async flushOutput(): Promise<void> {
    await this.#writes.run(() => this.#flush(false));
  }

  /**
   * Brings a program's last output and its end to disk, and so before the screen. Resolves after `limits.endFlushMs` at
   * the latest, also when the disk is full or does not answer: it is then written once that is possible.
   */
  async flushEnd(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => late.resolve(), limits.endFlushMs);
    await Promise.race([this.#writes.run(() => this.#flushEnd()), late.promise]);
    clearTimeout(timer);
  }

  /** Deletes what was recorded. */
  async forgetRecording(): Promise<void> {
    await this.#writes.run(() => this.#store.forgetRecording());
  }

  /**
   * Before an epoch is seen by anybody: the screen that it begins with, that of the epoch before if there is one, and its
   * meta data are on disk, in this order. `begin` makes it the present one, before anything else is written.
   */
  async beginEpoch(meta: TerminalMeta, former: TerminalContent | undefined, begin: () => void): Promise<void> {
    await this.#writes.run(async () => {
      if (former) await this.#writeFirstScreen(meta.epoch, former);
      // Whoever finds no screen on disk begins with an empty one of the terminal's size.
      else this.#screen = { ...this.#screen, offset: 0, cols: meta.cols, rows: meta.rows };
      // What a failure leaves half written is to be written again.
      this.#writtenMeta = "";
      await this.#store.writeMeta(meta);
      if (!this.#shelf.on) await this.#store.forgetBefore(meta.epoch);
      begin();
    });
  }

  /** Writes nothing any more, and deletes what was written. */
  async remove(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writes.run(() => this.#store.remove());
  }

  #flush(everything: boolean): Promise<void> {
    return this.#attempt(async () => {
      await this.#writeOutput();
      await this.#shelf.trim(this.#store.segments);
      const content = this.#source.content();
      if (everything) await this.#writeScreen(limits.scrollbackLines);
      else if (content) await this.#checkpoint(content);
      await this.#writeMeta();
    });
  }

  #flushEnd(): Promise<void> {
    return this.#attempt(async () => {
      await this.#writeOutput();
      await this.#writeMeta();
    });
  }

  /** Never rejects: what fails is tried again later. */
  async #attempt(write: () => Promise<void>): Promise<void> {
    if (this.#closed) return;
    try {
      await write();
      this.#failed = false;
    } catch (error) {
      // A full disk takes nothing from the terminal itself; tell once, and go on trying.
      if (!this.#failed) this.#log.error("a terminal could not be written to disk", { reason: errorText(error) });
      this.#failed = true;
      if (isErrno(error, "ENOSPC") || isErrno(error, "EDQUOT")) await yieldSpace(this.#store.segments).catch(() => {});
      this.dirty();
    }
    this.#afterFlush();
  }

  async #writeOutput(): Promise<void> {
    const content = this.#source.content();
    if (content) await this.#store.appendRing(this.#source.meta().epoch, content.ring, this.#source.times());
  }

  /** Writes the screen when it is due. The ring on disk is what stands in for one that is late. */
  async #checkpoint({ feed, ring }: TerminalContent): Promise<void> {
    const isOld = ring.endOffset - this.#screen.offset >= limits.checkpointBytes;
    const { cols, rows } = feed.size;
    if (!isOld && cols === this.#screen.cols && rows === this.#screen.rows) return;
    const calm = ring.endOffset === this.#lookedOffset;
    this.#lookedOffset = ring.endOffset;
    const everyMs = calm ? limits.checkpointMs : limits.busyCheckpointMs;
    if (feed.outrun || performance.now() - this.#screen.atMs < everyMs) this.dirty();
    else await this.#writeScreen(limits.checkpointLines);
  }

  async #writeScreen(scrollbackLines: number): Promise<void> {
    const content = this.#source.content();
    if (!content) return;
    const { epoch } = this.#source.meta();
    const { bytes, offset, cols, rows, approximate } = await content.feed.snapshot(scrollbackLines);
    this.#screen = { offset, cols, rows, atMs: performance.now() };
    // The screen must not be ahead of the ring on disk.
    await this.#store.appendRing(epoch, content.ring, this.#source.times());
    await this.#store.writeScreen({ epoch, offset, cols, rows, approximate, bytes });
  }

  async #writeFirstScreen(epoch: number, { feed }: TerminalContent): Promise<void> {
    const { bytes, cols, rows, approximate } = await feed.snapshot(limits.scrollbackLines);
    this.#screen = { offset: 0, cols, rows, atMs: performance.now() };
    await this.#store.writeScreen({ epoch, offset: 0, cols, rows, approximate, bytes });
  }

  async #writeMeta(): Promise<void> {
    const meta = this.#source.meta();
    const text = JSON.stringify(meta);
    if (text === this.#writtenMeta) return;
    await this.#store.writeMeta(meta);
    this.#writtenMeta = text;
  }
}
