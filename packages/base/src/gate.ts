/** Lets so many tasks run at a time; the others wait in the order of their arrival. */
export class Gate {
  readonly #places: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** Tasks that wait or run. */
  get length(): number {
    return this.#inside + this.#waiting.length;
  }

  /** Runs the task when there is a place; answers its result, or rejects with its error. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#places) this.#inside += 1;
    // Who leaves hands the place on, so that nobody who comes later takes it first.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#inside -= 1;
    }
  }
}
