import { createHash, type Hash } from "node:crypto";
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

interface KeyedCall {
  userId: string;
  /** Method and path with its parameters. */
  route: string;
  key: string;
}

interface Call extends KeyedCall {
  bodyHash: string;
}

interface KeptAnswer {
  body_hash: string;
  response: unknown;
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
  const keyed = keyedCall(route, request);
  if (!keyed) return { result: await inTransaction(api.db, work), replayed: false };
  const call = { ...keyed, bodyHash: createHash("sha256").update(canonical(request.body)).digest("hex") };
  // Duplicates in this process wait here and not in the database: each would hold a connection there, and the first
  // might find none left for what it needs.
  return inTurn(api, call, () =>
    inTransaction(api.db, (unit) => runOnce(unit, call, route.status, api.clock.now(), work)),
  );
}

/**
 * The same for a call whose body is read as it comes: no transaction is held meanwhile. Of several at once in this process
 * one is answered after the other. A body is known by its bytes and the query; that of a repetition is read for that, and
 * goes nowhere. Were this controller killed after the work and before its answer is kept, a repetition does it again.
 */
export async function answerUploadOnce<T>(
  api: Api,
  route: Route,
  request: FastifyRequest,
  body: AsyncIterable<Uint8Array>,
  work: (body: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<Once<T>> {
  const call = keyedCall(route, request);
  if (!call) return { result: await work(body), replayed: false };
  return inTurn(api, call, async () => {
    const hash = createHash("sha256").update(canonical(request.query));
    const hashed = hashedBy(hash, body);
    const kept = await inTransaction(api.db, async (unit) => {
      await forgetExpired(unit, call, api.clock.now());
      return findKept(unit, call);
    });
    if (kept) {
      for await (const _ of hashed);
      return { result: answerOf<T>(kept, hash.digest("hex")), replayed: true };
    }
    const result = await work(hashed);
    await inTransaction(api.db, async (unit) => {
      const inserted = await insertKey(unit, { ...call, bodyHash: hash.digest("hex") }, route.status, api.clock.now());
      if (inserted) await keepAnswer(unit, call, result);
    });
    return { result, replayed: false };
  });
}

async function* hashedBy(hash: Hash, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    hash.update(chunk);
    yield chunk;
  }
}

/** Undefined for a call without a key. */
function keyedCall(route: Route, request: FastifyRequest): KeyedCall | undefined {
  const key = keyOf(request);
  if (key === undefined) return undefined;
  const path = new URL(request.url, "http://berth").pathname.slice(apiPrefix.length);
  return { userId: callerOf(request).user.id, route: `${route.method} ${path}`, key };
}

function inTurn<T>({ turns }: Api, { userId, route, key }: KeyedCall, task: () => Promise<T>): Promise<T> {
  return turns.take(`${userId} ${route} ${key}`, task);
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
  await forgetExpired(unit, call, nowMs);
  if (!(await insertKey(unit, call, status, nowMs))) {
    const kept = await findKept(unit, call);
    if (!kept) throw new Error("a kept answer is gone in the transaction that found it");
    return { result: answerOf<T>(kept, call.bodyHash), replayed: true };
  }
  const result = await work(unit);
  await keepAnswer(unit, call, result);
  return { result, replayed: false };
}

const rowOf = ({ userId, route, key }: KeyedCall) => ({ user_id: userId, route, key });

async function forgetExpired({ trx }: UnitOfWork, call: KeyedCall, nowMs: number): Promise<void> {
  await trx
    .deleteFrom("idempotency")
    .where((eb) => eb.and(rowOf(call)))
    .where("created_at", "<", new Date(nowMs - idempotencyKeptMs))
    .execute();
}

/** Answers whether the key is new. Where another process has inserted the same one and not committed, waits for its end. */
async function insertKey({ trx }: UnitOfWork, call: Call, status: number, nowMs: number): Promise<boolean> {
  const inserted = await trx
    .insertInto("idempotency")
    .values({ ...rowOf(call), body_hash: call.bodyHash, status, created_at: new Date(nowMs) })
    .onConflict((conflict) => conflict.doNothing())
    .returning("key")
    .executeTakeFirst();
  return inserted !== undefined;
}

async function findKept({ trx }: UnitOfWork, call: KeyedCall): Promise<KeptAnswer | undefined> {
  return trx
    .selectFrom("idempotency")
    .select(["body_hash", "response"])
    .where((eb) => eb.and(rowOf(call)))
    .executeTakeFirst();
}

async function keepAnswer({ trx }: UnitOfWork, call: KeyedCall, result: unknown): Promise<void> {
  await trx
    .updateTable("idempotency")
    .set({ response: result === undefined ? null : JSON.stringify(result) })
    .where((eb) => eb.and(rowOf(call)))
    .execute();
}

/** Throws `idempotency_key_reused` for another body. */
function answerOf<T>({ body_hash, response }: KeptAnswer, bodyHash: string): T {
  if (body_hash !== bodyHash) {
    throw new BerthError("idempotency_key_reused", "This Idempotency-Key was sent before with another body.", {
      hint: "Use a new key for a new request.",
    });
  }
  // What this very route answered before; its schema writes it again.
  return response as T;
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
