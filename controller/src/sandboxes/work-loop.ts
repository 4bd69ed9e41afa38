import { after, type Clock, every } from "@berth/base";
import type { FastifyBaseLogger } from "fastify";

export interface WorkLoopDependencies {
  clock: Clock;
  log: FastifyBaseLogger;
  /** The things whose time has come (`look_at`), by id. */
  due(now: Date): Promise<readonly string[]>;
  /** Looks at one thing; answers in how many milliseconds to look again. Must not throw. */
  look(id: string): Promise<number | undefined>;
}

/** How often rows are read whose time has come: the net below the calls that wake the loop at once, in milliseconds. */
const sweepMs = 1_000;
/** Things that are looked at at once; their steps mostly wait for Proxmox. */
const maxConcurrent = 64;

/**
 * Sees to it that everything that wants a look (a sandbox, a template that is built) gets one, and never two at a time.
 * The queue is the column `look_at`: it is written in the transaction that changes what is wanted, and cleared when a
 * look has settled the thing, so a controller that is killed finds its work where it was.
 */
export class WorkLoop {
  readonly #deps: WorkLoopDependencies;
  /** Looks that run; true: look again right after. */
  readonly #looking = new Map<string, boolean>();
  readonly #waiting = new Set<string>();
  /** What calls off the next look. */
  readonly #timers = new Map<string, () => void>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;
  #endSweep = () => {};

  constructor(dependencies: WorkLoopDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#endSweep = every(this.#deps.clock, sweepMs, () => void this.#readDue());
    void this.#readDue();
  }

  /** Looks at a thing now, or as soon as the look that runs has ended. */
  wake(id: string): void {
    if (this.#stopped) return;
    this.#timers.get(id)?.();
    this.#timers.delete(id);
    if (this.#looking.has(id)) this.#looking.set(id, true);
    else if (this.#looking.size >= maxConcurrent) this.#waiting.add(id);
    else this.#track(this.#look(id));
  }

  /** Begins no more looks, and waits for those that run. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endSweep();
    for (const callOff of this.#timers.values()) callOff();
    this.#timers.clear();
    await Promise.all(this.#running);
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  async #look(id: string): Promise<void> {
    let againMs: number | undefined;
    do {
      this.#looking.set(id, false);
      againMs = await this.#deps.look(id);
    } while (!this.#stopped && (this.#looking.get(id) || againMs === 0));
    this.#looking.delete(id);
    if (this.#stopped) return;
    if (againMs !== undefined)
      this.#timers.set(
        id,
        after(this.#deps.clock, againMs, () => this.wake(id)),
      );
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.wake(next);
  }

  async #readDue(): Promise<void> {
    try {
      const due = await this.#deps.due(new Date(this.#deps.clock.now()));
      for (const id of due) if (!this.#timers.has(id) && !this.#looking.has(id)) this.wake(id);
    } catch (error) {
      if (!this.#stopped) this.#deps.log.error({ err: error }, "the work to do could not be read");
    }
  }
}
