import { type Clock, systemClock } from "@berth/base";
import type { Pool, PoolClient } from "pg";

export interface LeaderOptions {
  readonly clock?: Clock;
  /** Called once if another controller leads and this one has to wait. */
  readonly onStandby?: () => void;
}

/** The right to do the fleet's work: one controller of a database has it at a time. */
export interface Leadership {
  /** Resolves when the right was lost without being given up: the work must stop at once. */
  readonly lost: Promise<Error>;
  /** Gives it up; a controller that stands by gets it within `retryMs`. */
  release(): Promise<void>;
}

const times = {
  /** How soon a standby notices that it can lead. */
  retryMs: 250,
  /** A leader asks its connection this often whether it is alive. */
  heartbeatMs: 3_000,
  /** No answer for this long means lost. */
  heartbeatTimeoutMs: 3_000,
} as const;

/** The lock's name: one lock a database. */
const lockKey = "hashtext('berth.leader')";

/**
 * Waits for the advisory lock that makes a controller the active one. The lock belongs to one connection and goes with
 * it, so a leader that was killed is followed at once, and nothing has to expire. Rejects with the signal's reason.
 */
export async function acquireLeadership(
  pool: Pool,
  signal: AbortSignal,
  options: LeaderOptions = {},
): Promise<Leadership> {
  const clock = options.clock ?? systemClock;
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    const client = await pool.connect().catch((error: unknown) => {
      // A standby outlives a restart of the database; the first attempt tells of a wrong one.
      if (attempt === 0) throw error;
      return undefined;
    });
    if (client && (await tryLock(client))) return hold(client, clock);
    if (attempt === 0) options.onStandby?.();
    await clock.sleep(times.retryMs, signal);
  }
}

async function tryLock(client: PoolClient): Promise<boolean> {
  try {
    const { rows } = await client.query<{ locked: boolean }>(`select pg_try_advisory_lock(${lockKey}) as locked`);
    if (rows[0]?.locked === true) return true;
    client.release();
    return false;
  } catch {
    client.release(true);
    return false;
  }
}

function hold(client: PoolClient, clock: Clock): Leadership {
  const over = new AbortController();
  const { promise: lost, resolve: lose } = Promise.withResolvers<Error>();
  const end = () => {
    if (over.signal.aborted) return false;
    over.abort();
    // Destroyed, so that PostgreSQL drops the lock with the session whatever state it is in.
    client.release(true);
    return true;
  };
  const onError = (error: Error) => {
    if (end()) lose(error);
  };
  client.on("error", onError);
  client.on("end", () => onError(new Error("the connection that holds the leader's lock has closed")));
  void heartbeat(client, clock, over.signal).catch((error: unknown) => {
    if (!over.signal.aborted) onError(error instanceof Error ? error : new Error(String(error)));
  });
  return {
    lost,
    release: async () => {
      if (over.signal.aborted) return;
      // Said aloud, so that the lock is free when this resolves and not only when the session has ended.
      await client.query(`select pg_advisory_unlock(${lockKey})`).catch(() => {});
      end();
    },
  };
}

/** Rejects when the connection does not answer in time: a network may swallow it without an error. */
async function heartbeat(client: PoolClient, clock: Clock, over: AbortSignal): Promise<never> {
  for (;;) {
    await clock.sleep(times.heartbeatMs, over);
    const answered = new AbortController();
    const late = clock
      .sleep(times.heartbeatTimeoutMs, AbortSignal.any([over, answered.signal]))
      .then(() => Promise.reject(new Error("the connection that holds the leader's lock does not answer")));
    try {
      await Promise.race([client.query("select 1"), late]);
    } finally {
      answered.abort();
      late.catch(() => {});
    }
  }
}
