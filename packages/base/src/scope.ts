/** Something that must be released once; releasing it may take time. */
export type Release = () => void | Promise<void>;

/**
 * Owns what was created under it and releases it last-in-first-out. The first error of a release is kept and thrown
 * when all releases have run; none is skipped. Once disposed, whatever is added is released at once.
 */
export class Scope implements AsyncDisposable {
  readonly #releases: Release[] = [];
  #disposal: Promise<void> | undefined;

  /** True from the start of the disposal on. */
  get disposed(): boolean {
    return this.#disposal !== undefined;
  }

  /** Registers a release, to run before all that were registered earlier. */
  add(release: Release): void {
    // Nobody waits for a late release, so nobody could be told of its failure.
    if (this.#disposal) void (async () => release())().catch(() => {});
    else this.#releases.push(release);
  }

  /** Registers a disposable and answers it. */
  own<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.add(async () => {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
      else resource[Symbol.dispose]();
    });
    return resource;
  }

  /** Releases everything. Repeated calls answer the same promise. */
  dispose(): Promise<void> {
    if (!this.#disposal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      // Before the first release runs: it may itself add to this scope or dispose it.
      this.#disposal = promise;
      resolve(this.#releaseAll());
    }
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #releaseAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let release = this.#releases.pop(); release; release = this.#releases.pop()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
