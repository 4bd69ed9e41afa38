import { limits } from "./limits.ts";

/** A terminal, and when somebody last typed into it, in milliseconds. */
interface Typed {
  readonly terminal: object;
  readonly atMs: number;
}

/**
 * In which of a host's terminals somebody types. An echo waits behind what other terminals have under way on the same
 * link, so they keep less of it there meanwhile.
 */
export class Typists {
  readonly #now: () => number;
  #last: Typed | undefined;
  /** The last one of another terminal than `#last`. */
  #before: Typed | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Somebody typed into a terminal. */
  typed(terminal: object): void {
    if (this.#last?.terminal !== terminal) this.#before = this.#last;
    this.#last = { terminal, atMs: this.#now() };
  }

  /** Whether somebody types into another terminal than this one. */
  isElsewhere(terminal: object): boolean {
    const other = this.#last?.terminal === terminal ? this.#before : this.#last;
    return other !== undefined && this.#now() - other.atMs < limits.typingMs;
  }
}
