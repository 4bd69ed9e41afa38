import { limits } from "./limits.ts";

/** Input on its way to a PTY; `source` is the viewer it came from. */
interface Pending<Source> {
  readonly source: Source | undefined;
  readonly bytes: Uint8Array;
  written: number;
  /** So many bytes more are written, and whether that was the last of them. */
  readonly onWritten: (bytes: number, done: boolean) => void;
}

/**
 * Input in the order of its arrival, written as fast as the program reads. What is counted as written is in the
 * kernel: nothing lies in between.
 */
export class InputQueue<Source> {
  readonly #write: (bytes: Uint8Array) => number;
  readonly #queue: Pending<Source>[] = [];
  #pendingBytes = 0;
  #retryMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `write` takes what it can and answers how many bytes that was. */
  constructor(write: (bytes: Uint8Array) => number) {
    this.#write = write;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Adds bytes, which must stay as they are until written. */
  push(source: Source | undefined, bytes: Uint8Array, onWritten: (bytes: number, done: boolean) => void): void {
    this.#queue.push({ source, bytes, written: 0, onWritten });
    this.#pendingBytes += bytes.byteLength;
    if (!this.#timer) this.#drain();
  }

  /** Forgets what this source has not had written. */
  drop(source: Source): void {
    for (let index = this.#queue.length - 1; index >= 0; index -= 1) {
      const pending = this.#queue[index];
      if (pending?.source !== source) continue;
      this.#queue.splice(index, 1);
      this.#pendingBytes -= pending.bytes.byteLength - pending.written;
    }
  }

  /** Forgets everything: the program has ended. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const pending of this.#queue.splice(0)) pending.onWritten(pending.bytes.byteLength - pending.written, true);
    this.#pendingBytes = 0;
  }

  #drain(): void {
    this.#timer = undefined;
    for (let pending = this.#queue[0]; pending; pending = this.#queue[0]) {
      const rest = pending.written === 0 ? pending.bytes : pending.bytes.subarray(pending.written);
      const taken = rest.byteLength === 0 ? 0 : this.#write(rest);
      pending.written += taken;
      this.#pendingBytes -= taken;
      const done = pending.written === pending.bytes.byteLength;
      if (done) this.#queue.shift();
      if (taken > 0 || done) {
        this.#retryMs = 0;
        pending.onWritten(taken, done);
      } else {
        this.#retryLater();
        return;
      }
    }
  }

  /** The program does not read. Nothing tells when it does again, so look in growing intervals. */
  #retryLater(): void {
    this.#retryMs = Math.min(50, Math.max(1, this.#retryMs * 2));
    this.#timer = setTimeout(() => this.#drain(), this.#retryMs);
  }
}

interface Stream<Source> {
  writtenBytes: number;
  /** The viewer whose channel carries it; an older channel's input no longer counts. */
  source: Source | undefined;
  lastUsedMs: number;
}

/** How much of each client's input stream was written, so that what a lost connection held is sent again once. */
export class InputStreams<Source> {
  readonly #streams = new Map<string, Stream<Source>>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * A viewer takes a stream over. Answers where its bytes begin, and the viewer that had it before: its input must be
   * fenced off first, since what of it was not written will come again.
   */
  attach(id: string, declaredOffset: number, source: Source): { offset: number; former: Source | undefined } {
    this.#forgetOld();
    const known = this.#streams.get(id);
    const offset = known?.writtenBytes ?? declaredOffset;
    this.#streams.delete(id);
    this.#streams.set(id, { writtenBytes: offset, source, lastUsedMs: this.#now() });
    return { offset, former: known?.source };
  }

  /** So many bytes more of the stream were written; answers the stream's offset. */
  wrote(id: string, bytes: number): number {
    const stream = this.#streams.get(id);
    if (!stream) return 0;
    stream.writtenBytes += bytes;
    stream.lastUsedMs = this.#now();
    return stream.writtenBytes;
  }

  /** Every stream and how much of it is written, for the host that takes over. */
  get written(): { id: string; bytes: number }[] {
    return [...this.#streams].map(([id, { writtenBytes: bytes }]) => ({ id, bytes }));
  }

  /** Remembers streams that another host knew. */
  restore(written: readonly { id: string; bytes: number }[]): void {
    for (const { id, bytes } of written) {
      this.#streams.set(id, { writtenBytes: bytes, source: undefined, lastUsedMs: this.#now() });
    }
  }

  /** The viewer has gone; the stream is remembered. */
  detach(id: string, source: Source): void {
    const stream = this.#streams.get(id);
    if (stream?.source !== source) return;
    stream.source = undefined;
    stream.lastUsedMs = this.#now();
  }

  #forgetOld(): void {
    const limitMs = this.#now() - limits.inputStreamMs;
    const idle = [...this.#streams].filter(([, stream]) => stream.source === undefined);
    const surplus = this.#streams.size - limits.inputStreams + 1;
    idle.sort(([, one], [, other]) => one.lastUsedMs - other.lastUsedMs);
    for (const [index, [id, stream]] of idle.entries()) {
      if (index < surplus || stream.lastUsedMs < limitMs) this.#streams.delete(id);
    }
  }
}
