import { Scope } from "@berth/base";
import { operationEvents } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StoredEvent } from "../src/events/log.ts";
import { EventLog } from "../src/events/log.ts";
import { asServerEvents, mountEvents } from "../src/events/sse.ts";
import { bearer, type TestServer, testServer, testStore } from "./http.fixture.ts";

let scope: Scope;
let stop: AbortController;
beforeEach(() => {
  scope = new Scope();
  stop = new AbortController();
  scope.add(() => stop.abort());
});
afterEach(() => scope.dispose());

async function eventLog(): Promise<{ log: EventLog; store: Awaited<ReturnType<typeof testStore>> }> {
  const store = await testStore(scope);
  const log = new EventLog({ db: store.db, pool: store.pool });
  await log.start();
  scope.add(() => log.stop());
  return { log, store };
}

const tell = (log: EventLog, n: number, about: { ownerId?: string; operationId?: string } = {}) =>
  log.transaction((trx) => log.append(trx, { ownerId: "usr_a", type: "sandbox", data: { n }, ...about }));

async function take(events: AsyncIterable<StoredEvent>, count: number): Promise<StoredEvent[]> {
  const taken: StoredEvent[] = [];
  if (count === 0) return taken;
  for await (const event of events) {
    taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

test("a stream tells what is there and then what comes", async () => {
  const { log } = await eventLog();
  for (const n of [1, 2, 3]) await tell(log, n);
  const stream = log.stream({ ownerId: "usr_a", afterSeq: 0 }, stop.signal);
  const told = take(stream, 5);
  await tell(log, 4);
  await tell(log, 5);
  expect((await told).map((event) => event.data)).toEqual([1, 2, 3, 4, 5].map((n) => ({ n })));
});

test("nothing is told of a transaction that rolled back", async () => {
  const { log } = await eventLog();
  const failed = log.transaction(async (trx) => {
    await log.append(trx, { ownerId: "usr_a", type: "sandbox", data: { n: 0 } });
    throw new Error("no");
  });
  await expect(failed).rejects.toThrow("no");
  await tell(log, 1);
  const [event] = await take(log.stream({ ownerId: "usr_a", afterSeq: 0 }, stop.signal), 1);
  expect(event?.data).toEqual({ n: 1 });
});

test("under concurrent transactions readers see every event, once, in one order", async () => {
  const { log } = await eventLog();
  const writers = 8;
  const each = 25;
  const readers = Array.from({ length: 3 }, () =>
    take(log.stream({ ownerId: "usr_a", afterSeq: 0 }, stop.signal), writers * each),
  );
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let i = 0; i < each; i += 1) {
        await log.transaction(async (trx) => {
          await log.append(trx, { ownerId: "usr_a", type: "sandbox", data: { writer, i } });
          // Some commit later than others that began after them.
          if (i % 5 === writer % 5) await new Promise((resolve) => setTimeout(resolve, 3));
        });
      }
    }),
  );
  const [first, ...others] = await Promise.all(readers);
  const seqs = first?.map((event) => event.seq) ?? [];
  expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  expect(new Set(seqs).size).toBe(writers * each);
  for (const other of others) expect(other.map((event) => event.seq)).toEqual(seqs);
  for (let writer = 0; writer < writers; writer += 1) {
    const own = first?.filter((event) => JSON.stringify(event.data).includes(`"writer":${writer}}`)) ?? [];
    expect(own.map((event) => event.data)).toEqual(Array.from({ length: each }, (_, i) => ({ writer, i })));
  }
});

test("a transaction that began first and commits last is not skipped", async () => {
  const { log } = await eventLog();
  const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
  const { promise: appended, resolve: hasAppended } = Promise.withResolvers<void>();
  const slow = log.transaction(async (trx) => {
    await log.append(trx, { ownerId: "usr_a", type: "sandbox", data: { n: "slow" } });
    hasAppended();
    await mayCommit;
  });
  await appended;
  await tell(log, 2);
  const stream = log.stream({ ownerId: "usr_a", afterSeq: 0 }, stop.signal);
  expect((await stream.next()).value).toMatchObject({ data: { n: 2 } });
  commit();
  await slow;
  expect((await stream.next()).value).toMatchObject({ data: { n: "slow" } });
  await stream.return();
});

test("transactions that lock the same rows in another order than they tell do not deadlock", async () => {
  const { log, store } = await eventLog();
  await store.pool.query("insert into claims (vmid, sandbox_id, node, state) values (1, 'a', 'n', 'held')");
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      log.transaction(async (trx) => {
        const append = () => log.append(trx, { ownerId: "usr_a", type: "sandbox", data: { i } });
        if (i % 2 === 0) await append();
        await trx
          .updateTable("claims")
          .set({ node: `n${i}` })
          .where("vmid", "=", 1)
          .execute();
        if (i % 2 === 1) await append();
      }),
    ),
  );
  expect(await take(log.stream({ ownerId: "usr_a", afterSeq: 0, backlogOnly: true }, stop.signal), 20)).toHaveLength(
    20,
  );
});

test("each sees its own: other owners' and other operations' events are not told", async () => {
  const { log } = await eventLog();
  await tell(log, 1, { ownerId: "usr_b" });
  await tell(log, 2, { operationId: "op_a" });
  await tell(log, 3);
  await tell(log, 4, { operationId: "op_b" });
  const all = async (filter: { ownerId: string; operationId?: string }) => {
    const seen: unknown[] = [];
    for await (const { data } of log.stream({ ...filter, afterSeq: 0, backlogOnly: true }, stop.signal))
      seen.push(data);
    return seen;
  };
  expect(await all({ ownerId: "usr_a" })).toEqual([{ n: 3 }]);
  expect(await all({ ownerId: "usr_a", operationId: "op_a" })).toEqual([{ n: 2 }]);
  expect(await all({ ownerId: "usr_b", operationId: "op_a" })).toEqual([]);
});

test("a reader that was away reads everything from the table, however much", async () => {
  const { log, store } = await eventLog();
  await store.pool.query(
    "insert into events (owner_id, type, data) select 'usr_a', 'sandbox', jsonb_build_object('n', n) from generate_series(1, 1050) n",
  );
  const events = await take(log.stream({ ownerId: "usr_a", afterSeq: 0 }, stop.signal), 1050);
  expect(events.at(-1)?.data).toEqual({ n: 1050 });
});

test("a listener whose connection was cut listens again", async () => {
  const { log, store } = await eventLog();
  const stream = log.stream({ ownerId: "usr_a", afterSeq: 0 }, stop.signal);
  const next = stream.next();
  const listeners =
    "select pid from pg_stat_activity where query = 'listen berth_events' and datname = current_database()";
  const [before] = (await store.pool.query(listeners)).rows;
  await store.pool.query("select pg_terminate_backend($1)", [before.pid]);
  await eventually(async () => (await store.pool.query(listeners)).rows.some((row) => row.pid !== before.pid));
  await tell(log, 1);
  expect((await next).value).toMatchObject({ data: { n: 1 } });
  await stream.return();
});

test("old events are removed, and reading goes on", async () => {
  const { log, store } = await eventLog();
  await tell(log, 1);
  await store.pool.query("update events set created_at = created_at - interval '8 days'");
  await tell(log, 2);
  expect(await log.prune(7)).toBe(1);
  expect(await take(log.stream({ ownerId: "usr_a", afterSeq: 0 }, stop.signal), 1)).toMatchObject([{ data: { n: 2 } }]);
});

/** Reads server-sent events until there are so many, or the stream ends. */
async function readEvents(
  answer: Response,
  count = Number.POSITIVE_INFINITY,
): Promise<{ id: number; event: string; data: unknown }[]> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const events: { id: number; event: string; data: unknown }[] = [];
  while (reader && events.length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, id, event, data] = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      if (id && event && data) events.push({ id: Number(id), event, data: JSON.parse(data) });
    }
  }
  await reader?.cancel();
  return events;
}

async function served(): Promise<TestServer & { origin: string }> {
  const logs: EventLog[] = [];
  const fixture = await testServer(scope, {
    routes: [
      (api) =>
        mountEvents(api, operationEvents, async ({ params, caller, lastEventId, signal }) => {
          const filter = { ownerId: caller.user.id, operationId: params.id, afterSeq: lastEventId ?? 0 };
          const log = logs[0];
          if (!log) throw new Error("not ready");
          return asServerEvents(log.stream(filter, signal), "done");
        }),
    ],
  });
  logs.push(fixture.events);
  return { ...fixture, origin: await fixture.listen() };
}

test("an operation's stream begins at its beginning and ends with `done`", async () => {
  const { events, user, token, origin } = await served();
  const about = { ownerId: user.id, operationId: "op_00000000000000000000" };
  for (const type of ["step", "log", "done"]) {
    await events.transaction((trx) => events.append(trx, { ...about, type, data: { text: "line\nbreak" } }));
  }
  const answer = await fetch(`${origin}/api/v1/operations/${about.operationId}/events`, { headers: bearer(token) });
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  const told = await readEvents(answer);
  expect(told.map(({ event }) => event)).toEqual(["step", "log", "done"]);
  expect(told[0]?.data).toEqual({ text: "line\nbreak" });
});

test("a client that comes back with Last-Event-ID misses nothing and gets nothing twice", async () => {
  const { events, user, token, origin } = await served();
  const open = (lastEventId?: number) =>
    fetch(`${origin}/api/v1/events`, {
      headers: { ...bearer(token), ...(lastEventId === undefined ? {} : { "last-event-id": String(lastEventId) }) },
    });
  const first = await open();
  const writing = (async () => {
    for (let n = 0; n < 60; n += 1) {
      await events.transaction((trx) => events.append(trx, { ownerId: user.id, type: "sandbox", data: { n } }));
    }
  })();
  const seen = await readEvents(first, 5);
  while (seen.length < 60) seen.push(...(await readEvents(await open(seen.at(-1)?.id), Math.min(7, 60 - seen.length))));
  await writing;
  const ids = seen.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  expect(seen.map(({ data }) => data)).toEqual(Array.from({ length: 60 }, (_, n) => ({ n })));
});

test("a bad Last-Event-ID is a 400, and no sign-in a 401, before the stream begins", async () => {
  const { token, origin } = await served();
  const statusOf = async (headers: Record<string, string>) =>
    (await fetch(`${origin}/api/v1/events`, { headers })).status;
  expect(await statusOf({ ...bearer(token), "last-event-id": "x" })).toBe(400);
  expect(await statusOf({})).toBe(401);
});

test("streams end when the server closes, and when the client goes nothing stays behind", async () => {
  const { server, token, origin } = await served();
  const gone = new AbortController();
  await fetch(`${origin}/api/v1/events`, { headers: bearer(token), signal: gone.signal });
  gone.abort();
  const open = await fetch(`${origin}/api/v1/events`, { headers: bearer(token) });
  const ended = readEvents(open);
  const begun = performance.now();
  await server.close();
  expect(await ended).toEqual([]);
  expect(performance.now() - begun).toBeLessThan(2_000);
});
