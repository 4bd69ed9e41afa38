/** A place at which a controller can be killed, such as `before POST /nodes/{node}/lxc/{template}/clone #1`. */
export type Point = string;

/**
 * What a controller in this process hangs on. It passes here before and after everything by which it can change the
 * world. Once it is dead nothing of it passes any more, so that to the world it is as if its process had been killed.
 */
export class Lifeline {
  /** Runs as it dies: cuts its connections. */
  onDeath = () => {};
  readonly #end = new AbortController();
  readonly #passed: (point: Point) => boolean;
  readonly #counts = new Map<string, number>();

  /** `passed` hears of every point and answers whether the controller is to die there. */
  constructor(passed: (point: Point) => boolean) {
    this.#passed = passed;
  }

  get dead(): boolean {
    return this.#end.signal.aborted;
  }

  /** Resolves unless the controller is dead, or dies here; then never. */
  async pass(place: string): Promise<void> {
    if (!this.dead) {
      const count = (this.#counts.get(place) ?? 0) + 1;
      this.#counts.set(place, count);
      if (this.#passed(`${place} #${count}`)) this.die();
    }
    await this.hold();
  }

  /** Resolves unless the controller is dead; then never. */
  async hold(): Promise<void> {
    if (this.dead) await new Promise<never>(() => {});
  }

  /** The work's result; rejects when the controller dies first. */
  race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#end;
    return new Promise((resolve, reject) => {
      const onDeath = () => reject(new Error("the controller is dead"));
      signal.addEventListener("abort", onDeath, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onDeath));
    });
  }

  /** Counts the places from one again: a new flow begins. */
  countAnew(): void {
    this.#counts.clear();
  }

  die(): void {
    if (this.dead) return;
    this.#end.abort();
    this.onDeath();
  }
}
