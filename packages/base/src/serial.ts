/** Runs tasks one after the other, in the order of their arrival. A task that fails does not stop those behind it. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #length = 0;

  /** Tasks that wait or run. */
  get length(): number {
    return this.#length;
  }

  /** Runs the task when all earlier ones have ended; answers its result, or rejects with its error. */
  run<T>(task: () => Promise<T>): Promise<T> {
    this.#length += 1;
    const result = this.#tail.then(task).finally(() => {
      this.#length -= 1;
    });
    this.#tail = result.catch(() => {});
    return result;
  }
}
