/** Tells that something on one side may have changed. */
export interface ChangeSource {
  /** Resolves at the next change that was not waited for yet, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Collects changes until somebody asks for them. */
export class ChangeBell implements ChangeSource {
  #rung = false;
  #wake: () => void = () => {};
  readonly #onClose: () => void;

  constructor(onClose: () => void = () => {}) {
    this.#onClose = onClose;
  }

  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  async next(signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = () => resolve();
      this.#wake = wake;
      signal.addEventListener("abort", wake, { once: true });
      await promise;
      signal.removeEventListener("abort", wake);
    }
    // Whoever no longer waits leaves a change for the next.
    if (!signal.aborted) this.#rung = false;
  }

  close(): void {
    this.#onClose();
  }
}
