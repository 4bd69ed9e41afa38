import { backoffMs, type Clock } from "@berth/base";
import type { Pool, PoolClient } from "pg";

/** The channel that the trigger on the events table notifies; the payload is `<owner> <operation or nothing>`. */
const channel = "berth_events";

/** Somebody who waits for commits of one kind. */
export interface Subscription {
  /** Resolves at the next commit from now on. */
  next(): Promise<void>;
  end(): void;
}

/**
 * Tells subscribers that events were committed. PostgreSQL's own notifications carry it, since they leave with the
 * commit itself, whichever code committed. A hint only: it may be lost while the connection is replaced.
 */
export class Notifications {
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #onLost: ((error: Error) => void) | undefined;
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #stopping = new AbortController();
  #client: PoolClient | undefined;

  constructor(pool: Pool, clock: Clock, onLost?: (error: Error) => void) {
    this.#pool = pool;
    this.#clock = clock;
    this.#onLost = onLost;
  }

  async start(): Promise<void> {
    const client = await this.#pool.connect();
    client.on("notification", ({ payload }) => this.#wake(payload ?? ""));
    client.on("error", (error) => this.#lost(client, error));
    try {
      await client.query(`listen ${channel}`);
    } catch (error) {
      // An idle connection of a database that has just ended: one that is never given back keeps the pool from closing.
      client.release(true);
      throw error;
    }
    this.#client = client;
    // Whatever was committed while nobody listened.
    this.#wakeAll();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#release();
    this.#wakeAll();
  }

  subscribe(ownerId: string, operationId: string): Subscription {
    const key = `${ownerId} ${operationId}`;
    const waiters = this.#waiters.get(key) ?? new Set();
    this.#waiters.set(key, waiters);
    let armed: (() => void) | undefined;
    const disarm = () => {
      if (armed) waiters.delete(armed);
    };
    return {
      next: () =>
        new Promise((resolve) => {
          disarm();
          armed = resolve;
          waiters.add(resolve);
        }),
      end: () => {
        disarm();
        if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key);
      },
    };
  }

  #wake(key: string): void {
    const waiters = [...(this.#waiters.get(key) ?? [])];
    this.#waiters.get(key)?.clear();
    for (const resolve of waiters) resolve();
  }

  #wakeAll(): void {
    for (const key of [...this.#waiters.keys()]) this.#wake(key);
  }

  #lost(client: PoolClient, error: Error): void {
    if (client !== this.#client) return;
    this.#release();
    if (this.#stopping.signal.aborted) return;
    this.#onLost?.(error);
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    for (let attempt = 0; !this.#stopping.signal.aborted; attempt += 1) {
      try {
        await this.#clock.sleep(backoffMs(attempt, { firstMs: 100, maxMs: 5_000 }), this.#stopping.signal);
        await this.start();
        // Stopped meanwhile: nobody else would release what was just begun.
        if (this.#stopping.signal.aborted) this.#release();
        return;
      } catch {
        // The pool or the database is not back yet.
      }
    }
  }

  #release(): void {
    // Destroyed and not handed back: the next user of the connection must not be a listener.
    this.#client?.release(true);
    this.#client = undefined;
  }
}
