import { garbageCollection } from "@berth/base/node";

/** Bytes that pass between two collections. */
const collectedBytes = 4 * 1024 * 1024;

/**
 * Frees the buffers of what agents send. They die young, and on the young heap, which they hardly fill, since their bytes
 * are elsewhere: V8 would not look there, but at the growth of those bytes, and collect the whole heap at each 20 MB, in
 * as much time as relaying them takes. A collection of the young heap alone takes a tenth.
 */
export class PassingBuffers {
  readonly #collect: () => void;
  #bytes = 0;

  constructor(collect: () => void = garbageCollection("young")) {
    this.#collect = collect;
  }

  /** So many bytes came. */
  passed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < collectedBytes) return;
    this.#bytes = 0;
    this.#collect();
  }
}
