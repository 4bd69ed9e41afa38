/** What a sweep plays its cases in. */
interface Closable {
  close(): Promise<void>;
}

export interface KeptWorldsOptions<W extends Closable> {
  /** How many there are at once. Let no more cases run at once than this: their time begins before their world is free. */
  readonly size: number;
  open(): Promise<W>;
  /** What the controller of a world has logged. */
  log(world: W): string;
}

/** Worlds that cases share, a few at a time; one in which a case failed is not used again. */
export class KeptWorlds<W extends Closable> {
  readonly #options: KeptWorldsOptions<W>;
  readonly #idle: W[] = [];
  readonly #queue: (() => void)[] = [];
  #used = 0;

  constructor(options: KeptWorldsOptions<W>) {
    this.#options = options;
  }

  /** Runs a case in a world that is its own meanwhile; what it throws says what the controller logged last. */
  async run<T>(play: (world: W) => Promise<T>): Promise<T> {
    while (this.#used >= this.#options.size) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#used += 1;
    try {
      return await this.#play(play);
    } finally {
      this.#used -= 1;
      this.#queue.shift()?.();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((world) => world.close()));
  }

  async #play<T>(play: (world: W) => Promise<T>): Promise<T> {
    const world = this.#idle.pop() ?? (await this.#options.open());
    try {
      const result = await play(world);
      this.#idle.push(world);
      return result;
    } catch (error) {
      const log = this.#options.log(world).split("\n").slice(-25).join("\n");
      await world.close();
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`${what}\nThe controller's last words:\n${log}`, { cause: error });
    }
  }
}
