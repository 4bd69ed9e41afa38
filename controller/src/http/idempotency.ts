import { createHash } from "node:crypto";
import { SerialQueue } from "@berth/base";
import { apiPrefix, BerthError, type Route } from "@berth/protocol";
import type { FastifyRequest } from "fastify";
import type { Kysely } from "kysely";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import { callerOf } from "./access.ts";
import type { Api } from "./api.ts";
import type { UnitOfWork } from "./context.ts";

/** How long an answer is kept, in milliseconds. */
export const idempotencyKeptMs = 24 * 60 * 60_000;

interface Once<T> {
  result: T;
  /** The result is that of an earlier call. */
  replayed: boolean;
}

interface Call {
  userId: string;
  /** Method and path with its parameters. */
  route: string;
  key: string;
  bodyHash: string;
}

/**
 * Runs work in a transaction, once for each `Idempotency-Key`, user and path; a repetition gets the first answer. Only
 * successes are kept: after a failure the same key tries again. Throws `idempotency_key_reused` for another body.
 */
export async function answerOnce<T>(
  api: Api,
  route: Route,
  request: FastifyRequest,
  work: (unit: UnitOfWork) => Promise<T>,
): Promise<Once<T>> {
  const key = keyOf(request);
  if (key === undefined) return { result: await inTransaction(api.db, work), replayed: false };
  const call: Call = {
    userId: callerOf(request).user.id,
    route: `${route.method} ${new URL(request.url, "http://berth").pathname.slice(apiPrefix.length)}`,
    key,
    bodyHash: createHash("sha256").update(canonical(request.body)).digest("hex"),
  };
  // Duplicates in this process wait here and not in the database: each would hold a connection there, and the first
  // might find none left for what it needs.
  return api.turns.take(`${call.userId} ${call.route} ${call.key}`, () =>
    inTransaction(api.db, (unit) => runOnce(unit, call, route.status, api.clock.now(), work)),
  );
}

/** Whether a call is to be done once, however often it comes. */
export function hasKey(request: FastifyRequest): boolean {
  return keyOf(request) !== undefined;
}

async function runOnce<T>(
  unit: UnitOfWork,
  call: Call,
  status: number,
  nowMs: number,
  work: (unit: UnitOfWork) => Promise<T>,
): Promise<Once<T>> {
  const { trx } = unit;
  const row = { user_id: call.userId, route: call.route, key: call.key };
  await trx
    .deleteFrom("idempotency")
    .where((eb) => eb.and(row))
    .where("created_at", "<", new Date(nowMs - idempotencyKeptMs))
    .execute();
  // Where another process has inserted the same key and not committed, this waits for its end.
  const inserted = await trx
    .insertInto("idempotency")
    .values({ ...row, body_hash: call.bodyHash, status, created_at: new Date(nowMs) })
    .onConflict((conflict) => conflict.doNothing())
    .returning("key")
    .executeTakeFirst();
  if (!inserted) {
    const kept = await trx
      .selectFrom("idempotency")
      .select(["body_hash", "response"])
      .where((eb) => eb.and(row))
      .executeTakeFirstOrThrow();
    if (kept.body_hash !== call.bodyHash) {
      throw new BerthError("idempotency_key_reused", "This Idempotency-Key was sent before with another body.", {
        hint: "Use a new key for a new request.",
      });
    }
    // What this very route answered before; its schema writes it again.
    return { result: kept.response as T, replayed: true };
  }
  const result = await work(unit);
  await trx
    .updateTable("idempotency")
    .set({ response: result === undefined ? null : JSON.stringify(result) })
    .where((eb) => eb.and(row))
    .execute();
  return { result, replayed: false };
}

/** Forgets answers that are past their time; answers how many. */
export async function pruneIdempotency(db: Kysely<Database>, nowMs: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom("idempotency")
    .where("created_at", "<", new Date(nowMs - idempotencyKeptMs))
    .executeTakeFirst();
  return Number(numDeletedRows);
}

function keyOf(request: FastifyRequest): string | undefined {
  const header = request.headers["idempotency-key"];
  if (header === undefined) return undefined;
  if (typeof header === "string" && /^[\x20-\x7e]{1,255}$/.test(header)) return header;
  throw new BerthError("invalid_request", "The Idempotency-Key is not 1 to 255 printable ASCII characters.");
}

/** JSON with the keys of objects sorted: the same value is the same text. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, part: unknown) =>
      typeof part === "object" && part !== null && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    ) ?? ""
  );
}

/** Runs tasks of one key one after the other, and those of different keys side by side. */
export class Turns {
  readonly #queues = new Map<string, SerialQueue>();

  async take<T>(key: string, task: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(key) ?? new SerialQueue();
    this.#queues.set(key, queue);
    try {
      return await queue.run(task);
    } finally {
      if (queue.length === 0) this.#queues.delete(key);
    }
  }
}
