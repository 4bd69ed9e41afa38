import { type Clock, every } from "@berth/base";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import type { Orphans } from "./orphans.ts";
import type { ToldOrphans } from "./told-orphans.ts";

export interface OrphanWatchDependencies {
  readonly db: Kysely<Database>;
  readonly orphans: Pick<Orphans, "look">;
  readonly told: Pick<ToldOrphans, "note">;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

/** How often orphans are looked for, in milliseconds: one call, and one more for each container that was not seen yet. */
const everyMs = 60_000;
/** How long somebody else's container is taken for that, in milliseconds: its id may be used again. */
const strangerMs = 60 * 60_000;

/** Looks for orphans now and then, and has people told of them. Changes none. */
export class OrphanWatch {
  readonly #deps: OrphanWatchDependencies;
  /** Nodes of somebody else's containers, by their ids. */
  #strangers = new Map<number, string>();
  #strangersSince = 0;
  #callOff = () => {};
  #looking: Promise<void> | undefined;
  #stopped = false;

  constructor(dependencies: OrphanWatchDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    const look = () => {
      this.#looking ??= this.#tryToLook().finally(() => {
        this.#looking = undefined;
      });
    };
    look();
    this.#callOff = every(this.#deps.clock, everyMs, look);
  }

  /** Waits for the look that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#callOff();
    await this.#looking;
  }

  /** Looks once. Rejects when the database or Proxmox cannot be asked. */
  async look(): Promise<void> {
    const { db, orphans, told, clock } = this.#deps;
    if (clock.now() - this.#strangersSince > strangerMs) {
      this.#strangers = new Map();
      this.#strangersSince = clock.now();
    }
    const seen = await orphans.look({ passes: ({ vmid, node }) => this.#strangers.get(vmid) === node });
    for (const { vmid, node } of seen.strangers) this.#strangers.set(vmid, node);
    if (!this.#stopped) await inTransaction(db, (work) => told.note(work, seen));
  }

  async #tryToLook(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      // Proxmox away is told by the readiness.
      if (!this.#stopped) this.#deps.log.debug({ err: error }, "orphans could not be looked for");
    }
  }
}
