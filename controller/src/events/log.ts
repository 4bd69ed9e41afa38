import { type Clock, systemClock } from "@berth/base";
import type { Kysely, Transaction } from "kysely";
import type { Pool } from "pg";
import type { Database } from "../store/tables.ts";
import { Notifications, type Subscription } from "./notifications.ts";

/** A fact as it is told. */
export interface NewEvent {
  readonly ownerId: string;
  readonly sandboxId?: string | null;
  /** Set: the event belongs to that operation's own stream. Unset: to the owner's fleet. */
  readonly operationId?: string | null;
  /** The event's name in server-sent events. */
  readonly type: string;
  /** JSON. */
  readonly data: unknown;
}

/** A fact that was committed. */
export interface StoredEvent {
  /** Grows in the order of commits; with gaps. */
  readonly seq: number;
  readonly type: string;
  readonly data: unknown;
  readonly createdAt: Date;
}

/** Which events: those of one operation, or those of an owner's fleet, which belong to no operation. */
export interface EventFilter {
  readonly ownerId: string;
  readonly operationId?: string;
  /** Only those after this one; 0 for all. */
  readonly afterSeq: number;
  /** The stream ends with what is there now: for something that will say no more. */
  readonly backlogOnly?: boolean;
}

export interface EventLogDependencies {
  readonly db: Kysely<Database>;
  /** One of its connections listens as long as the log is started. */
  readonly pool: Pool;
  readonly clock?: Clock;
  readonly onConnectionLost?: (error: Error) => void;
}

const limits = {
  /** Rows of one read: what a subscriber holds in memory at most. */
  batchRows: 100,
  /** A reader looks again after this long even if nobody told it to: notifications are a hint and may be lost. */
  lookAgainMs: 5_000,
} as const;

/**
 * Facts of the fleet, kept in a table and read from there by everybody: the table is each subscriber's buffer, so a
 * slow one costs no memory, and a subscriber that asks for what comes after n gets it without gap or repetition.
 */
export class EventLog {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;
  readonly #notifications: Notifications;

  constructor(dependencies: EventLogDependencies) {
    this.#db = dependencies.db;
    this.#clock = dependencies.clock ?? systemClock;
    this.#notifications = new Notifications(dependencies.pool, this.#clock, dependencies.onConnectionLost);
  }

  /** Begins to listen for commits. */
  async start(): Promise<void> {
    await this.#notifications.start();
  }

  /** Stops listening; streams go on by looking now and then until their signal ends them. */
  async stop(): Promise<void> {
    await this.#notifications.stop();
  }

  /** Runs work in a transaction of its own: for facts that are told outside of a request. */
  transaction<T>(work: (trx: Transaction<Database>) => Promise<T>): Promise<T> {
    return this.#db.transaction().execute(work);
  }

  /**
   * Writes a fact in the caller's transaction, or at once if that is none. Readers learn of it when it is committed, and
   * never if it is not.
   */
  async append(db: Kysely<Database>, event: NewEvent): Promise<void> {
    await db
      .insertInto("events")
      .values({
        owner_id: event.ownerId,
        sandbox_id: event.sandboxId ?? null,
        operation_id: event.operationId ?? null,
        type: event.type,
        data: JSON.stringify(event.data),
      })
      .execute();
  }

  /** The seq of the newest event: a stream from here on tells only what comes. */
  async head(): Promise<number> {
    const { seq } = await this.#db
      .selectFrom("events")
      .select((eb) => eb.fn.max("seq").as("seq"))
      .executeTakeFirstOrThrow();
    return seq ?? 0;
  }

  /** Tells of commits of an owner's fleet events from now on. A hint: some may be missed. */
  commitsOf(ownerId: string): Subscription {
    return this.#notifications.subscribe(ownerId, "");
  }

  /** Everything after `afterSeq`, in order: what is there and then what comes, until the signal aborts. */
  async *stream(filter: EventFilter, signal: AbortSignal): AsyncGenerator<StoredEvent, void, void> {
    let cursor = filter.afterSeq;
    const subscription = this.#notifications.subscribe(filter.ownerId, filter.operationId ?? "");
    try {
      while (!signal.aborted) {
        // Armed before the read: a commit during the read wakes the next one.
        const told = subscription.next();
        const events = await this.#read(filter, cursor);
        for (const event of events) {
          if (signal.aborted) return;
          cursor = event.seq;
          yield event;
        }
        if (events.length === limits.batchRows) continue;
        if (filter.backlogOnly) return;
        await this.#pause(told, signal);
      }
    } finally {
      subscription.end();
    }
  }

  /** Removes events older than so many days; answers how many. */
  async prune(days: number): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("events")
      .where("created_at", "<", new Date(this.#clock.now() - days * 86_400_000))
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  async #read(filter: EventFilter, afterSeq: number): Promise<StoredEvent[]> {
    const rows = await this.#db
      .selectFrom("events")
      .select(["seq", "type", "data", "created_at"])
      .where("owner_id", "=", filter.ownerId)
      .where("operation_id", filter.operationId === undefined ? "is" : "=", filter.operationId ?? null)
      .where("seq", ">", afterSeq)
      .orderBy("seq")
      .limit(limits.batchRows)
      .execute();
    return rows.map((row) => ({ seq: row.seq ?? 0, type: row.type, data: row.data, createdAt: row.created_at }));
  }

  /** Waits until a commit is told of, the signal aborts, or it is time to look again. */
  async #pause(told: Promise<void>, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const pause = this.#clock.sleep(limits.lookAgainMs, until).catch(() => {});
    await Promise.race([told, pause]);
    over.abort();
  }
}
