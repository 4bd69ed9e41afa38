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
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    this.#rung = false;
  }

  close(): void {
    this.#onClose();
  }
}
