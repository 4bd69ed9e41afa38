import type { Terminal } from "@xterm/headless";
import { type BufferLine, bufferLines } from "./xterm-internals.ts";

/**
 * More than the 32 MiB up to which glibc may put an allocation among its small ones: this is mapped by itself, takes
 * memory only where it is written, and is the system's again in the moment in which it is freed.
 */
const slabBytes = 33 * 1024 * 1024;
/**
 * For the lines of most screens. V8 counts a piece as memory in use, whether it is written or not, and collects the whole
 * heap for every 32 MiB or so of them: a large one for each screen that wakes would be a collection for each.
 */
const firstSlabBytes = 256 * 1024;
const bytesPerWord = Uint32Array.BYTES_PER_ELEMENT;
/** Lines that nobody shows any more may take as much as those that are shown, and so many bytes more. */
const spareBytes = 2 * 1024 * 1024;

/** Whose lines are made at present: xterm's code runs for one terminal at a time, and its lines do not know theirs. */
let present: LineMemory | undefined;
const mended = new WeakSet<object>();

/**
 * The memory of one terminal's lines. xterm allocates each line by itself, a kilobyte, and of thousands of those glibc
 * gives nothing back to the system when the terminal is gone. Here they lie in large pieces, slabs, freed as a whole.
 */
export class LineMemory {
  readonly #terminal: Terminal;
  /** Of which lines are taken at present. */
  #slab: ArrayBuffer | undefined;
  #slabUsedBytes = 0;
  /** The one before, if it was too small: it has lines still. */
  #outgrown: ArrayBuffer | undefined;
  /** The large one that the last tidying left, to be used by the next: a flood tidies many times a second. */
  #spare: ArrayBuffer | undefined;
  /** Since the last tidying, what was needed then included. */
  #usedBytes = 0;
  /** What was in use after the last tidying. */
  #neededBytes = 0;

  /** Throws if this xterm is built differently. */
  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    const [line] = bufferLines(terminal);
    if (line) mendLines(line);
  }

  /** Does what may make lines of this terminal, and of no other. */
  during<T>(act: () => T): T {
    const before = present;
    present = this;
    try {
      return act();
    } finally {
      present = before;
    }
  }

  /** Words for a line, all 0 or not; where there is no more room, of the ordinary kind. */
  take(words: number): Uint32Array<ArrayBuffer> {
    const bytes = words * bytesPerWord;
    const slab = this.#slabWithRoom(bytes);
    if (!slab) return new Uint32Array(words);
    const at = this.#slabUsedBytes;
    this.#slabUsedBytes += bytes;
    this.#usedBytes += bytes;
    return new Uint32Array(slab, at, words);
  }

  /** Between two writes: leaves behind the lines that are gone, once they are many. */
  tidy(): void {
    if (this.#usedBytes < 2 * this.#neededBytes + spareBytes) return;
    const [former, outgrown] = [this.#slab, this.#outgrown];
    this.#slab = this.#spare;
    this.#spare = undefined;
    this.#outgrown = undefined;
    this.#slabUsedBytes = 0;
    this.#usedBytes = 0;
    for (const line of bufferLines(this.#terminal)) {
      const own = this.take(line._data.length);
      own.set(line._data);
      line._data = own;
    }
    this.#neededBytes = this.#usedBytes;
    outgrown?.transfer(0);
    if (former?.byteLength === slabBytes) this.#spare = former;
    else former?.transfer(0);
  }

  /** Gives the memory back. The terminal must not be used any more. */
  free(): void {
    for (const slab of [this.#slab, this.#outgrown, this.#spare]) slab?.transfer(0);
    this.#slab = undefined;
    this.#outgrown = undefined;
    this.#spare = undefined;
  }

  #slabWithRoom(bytes: number): ArrayBuffer | undefined {
    this.#slab ??= new ArrayBuffer(firstSlabBytes);
    if (this.#slabUsedBytes + bytes <= this.#slab.byteLength) return this.#slab;
    if (this.#slab.byteLength === slabBytes || bytes > slabBytes) return undefined;
    this.#outgrown = this.#slab;
    this.#slab = this.#spare ?? new ArrayBuffer(slabBytes);
    this.#spare = undefined;
    this.#slabUsedBytes = 0;
    return this.#slab;
  }
}

/** Lines of xterm's own have memory of their own, which is never as large. */
function isInSlab({ _data }: BufferLine): boolean {
  return _data.buffer.byteLength >= firstSlabBytes;
}

/** Sees to it that the lines of every terminal ask for their memory; they do otherwise what xterm has them do. */
function mendLines(line: BufferLine): void {
  const methods: BufferLine = Object.getPrototypeOf(line);
  if (mended.has(methods)) return;
  mended.add(methods);
  const { clone, resize, cleanupMemory } = methods;
  methods.clone = function () {
    if (!present) return clone.call(this);
    const copy = new this.constructor(0);
    copy._data = present.take(this._data.length);
    copy.length = this.length;
    copy.copyFrom(this);
    return copy;
  };
  methods.resize = function (cols, fill) {
    if (!isInSlab(this) || cols <= this.length) return resize.call(this, cols, fill);
    // xterm would take what lies behind the line for its own.
    const words = (this._data.length / this.length) * cols;
    const wider = present?.take(words) ?? new Uint32Array(words);
    wider.set(this._data);
    this._data = wider;
    for (let column = this.length; column < cols; column += 1) this.setCell(column, fill);
    this.length = cols;
    return false;
  };
  methods.cleanupMemory = function () {
    return isInSlab(this) ? 0 : cleanupMemory.call(this);
  };
}
