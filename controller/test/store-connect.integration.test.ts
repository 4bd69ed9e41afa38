import { createServer } from "node:net";
import { Scope } from "@berth/base";
import { eventually, testDatabase } from "@berth/testkit";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "../src/store/connect.ts";
import { acquireLeadership } from "../src/store/leader.ts";
import { inTransaction } from "../src/store/transaction.ts";
import { testStore } from "./http.fixture.ts";

let scope: Scope;
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

async function refusalOf(url: string): Promise<string> {
  const error: unknown = await connect({ url }).then(
    async (store) => store.close(),
    (reason: unknown) => reason,
  );
  return error instanceof Error ? error.message : "connected";
}

test("each way to fail has its own sentence, without the password", async () => {
  const database = await testDatabase();
  scope.add(() => database.dispose());
  const changed = (change: (url: URL) => void) => {
    const url = new URL(database.url);
    url.password = url.password || "hunter2";
    change(url);
    return url.href;
  };
  const closed = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => closed.once("listening", resolve));
  const address = closed.address();
  const port = typeof address === "object" && address ? address.port : 0;
  await new Promise((resolve) => closed.close(resolve));

  const down = await refusalOf(changed((url) => Object.assign(url, { port: String(port) })));
  expect(down).toMatch(/refuses connections: start it/);
  const wrong = await refusalOf(changed((url) => Object.assign(url, { password: "hunter2-wrong" })));
  expect(wrong).toMatch(/refuses the user .* or the password/);
  const missing = await refusalOf(changed((url) => Object.assign(url, { pathname: "/nowhere" })));
  expect(missing).toMatch(/has no database "nowhere": create it/);
  for (const sentence of [down, wrong, missing]) {
    expect(sentence).not.toContain("hunter2");
    expect(sentence).not.toContain(new URL(database.url).password || "hunter2");
    expect(sentence.split("\n")).toHaveLength(1);
  }
});

test("counts of 64 bits are read as numbers", async () => {
  const { pool } = await testStore(scope);
  expect((await pool.query("select 9007199254740991::bigint as n")).rows).toEqual([{ n: 9007199254740991 }]);
});

test("what is to follow a commit does not follow a rollback", async () => {
  const { db } = await testStore(scope);
  const told: string[] = [];
  await inTransaction(db, async (work) => work.afterCommit(() => told.push("committed")));
  const failed = inTransaction(db, async (work) => {
    work.afterCommit(() => told.push("rolled back"));
    throw new Error("no");
  });
  await expect(failed).rejects.toThrow("no");
  expect(told).toEqual(["committed"]);
});

test("one leads and the next follows it at once", async () => {
  const { pool } = await testStore(scope);
  const never = new AbortController().signal;
  const first = await acquireLeadership(pool, never);
  let waits = 0;
  const second = acquireLeadership(pool, never, {
    onStandby: () => {
      waits += 1;
      void first.release();
    },
  });
  await (await second).release();
  expect(waits).toBe(1);
});

test("a standby stops waiting when it is told to", async () => {
  const { pool } = await testStore(scope);
  const leader = await acquireLeadership(pool, new AbortController().signal);
  scope.add(() => leader.release());
  const stop = new AbortController();
  const waiting = acquireLeadership(pool, stop.signal, { onStandby: () => stop.abort(new Error("stopping")) });
  await expect(waiting).rejects.toThrow("stopping");
});

test("a leader learns that its connection was cut, and another may lead", async () => {
  const { pool } = await testStore(scope);
  const never = new AbortController().signal;
  const leader = await acquireLeadership(pool, never);
  await pool.query(
    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())",
  );
  expect(await leader.lost).toBeInstanceOf(Error);
  await (await acquireLeadership(pool, never)).release();
});

test("a transaction whose connection is cut between two statements is told so by the next one, and nobody else", async () => {
  const { db } = await testStore(scope);
  const backend = sql<{ pid: number }>`select pg_backend_pid() as pid`;
  // A test run fails by itself for an error event that nobody heard, as the controller would end for it.
  const cut = db.transaction().execute(async (trx) => {
    const { pid } = (await backend.execute(trx)).rows[0] ?? { pid: 0 };
    await sql`select pg_terminate_backend(${pid}, 5000)`.execute(db);
    await eventually(() =>
      backend.execute(trx).then(
        () => undefined,
        (error: Error) => error,
      ),
    );
    await backend.execute(trx);
  });
  await expect(cut).rejects.toThrow(/terminat|queryable/);
  expect((await backend.execute(db)).rows).toHaveLength(1);
});
