import type { Clock } from "@berth/base";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { Database } from "../store/tables.ts";

export interface WorkLoopDependencies {
  db: Kysely<Database>;
  clock: Clock;
  log: FastifyBaseLogger;
  /** Looks at one sandbox; answers in how many milliseconds to look again. Must not throw. */
  look(sandboxId: string): Promise<number | undefined>;
}

/** How often rows are read whose time has come: the net below the calls that wake the loop at once, in milliseconds. */
const sweepMs = 1_000;
/** Sandboxes that are looked at at once; their steps mostly wait for Proxmox. */
const maxConcurrent = 64;

/**
 * Sees to it that every sandbox that wants a look gets one, and never two at a time. The queue is the column
 * `look_at`: it is written in the transaction that changes what is wanted, and cleared when a look has settled the
 * sandbox, so a controller that is killed finds its work where it was.
 */
export class WorkLoop {
  readonly #deps: WorkLoopDependencies;
  /** Looks that run; true: look again right after. */
  readonly #looking = new Map<string, boolean>();
  readonly #waiting = new Set<string>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;
  #sweep: ReturnType<typeof setInterval> | undefined;

  constructor(dependencies: WorkLoopDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#sweep = setInterval(() => void this.#readDue(), sweepMs);
    void this.#readDue();
  }

  /** Looks at a sandbox now, or as soon as the look that runs has ended. */
  wake(sandboxId: string): void {
    if (this.#stopped) return;
    clearTimeout(this.#timers.get(sandboxId));
    this.#timers.delete(sandboxId);
    if (this.#looking.has(sandboxId)) this.#looking.set(sandboxId, true);
    else if (this.#looking.size >= maxConcurrent) this.#waiting.add(sandboxId);
    else this.#track(this.#look(sandboxId));
  }

  /** Begins no more looks, and waits for those that run. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#sweep);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#running);
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  async #look(sandboxId: string): Promise<void> {
    let againMs: number | undefined;
    do {
      this.#looking.set(sandboxId, false);
      againMs = await this.#deps.look(sandboxId);
    } while (!this.#stopped && (this.#looking.get(sandboxId) || againMs === 0));
    this.#looking.delete(sandboxId);
    if (this.#stopped) return;
    if (againMs !== undefined)
      this.#timers.set(
        sandboxId,
        setTimeout(() => this.wake(sandboxId), againMs),
      );
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.wake(next);
  }

  async #readDue(): Promise<void> {
    try {
      const due = await this.#deps.db
        .selectFrom("sandboxes")
        .select("id")
        .where("look_at", "<=", new Date(this.#deps.clock.now()))
        .execute();
      for (const { id } of due) if (!this.#timers.has(id) && !this.#looking.has(id)) this.wake(id);
    } catch (error) {
      if (!this.#stopped) this.#deps.log.error({ err: error }, "the work to do could not be read");
    }
  }
}
