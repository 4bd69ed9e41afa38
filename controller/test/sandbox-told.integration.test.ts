import { Scope, systemClock } from "@berth/base";
import type { Idle } from "@berth/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EventLog } from "../src/events/log.ts";
import { OperationJournal } from "../src/operations/journal.ts";
import { insertOperation, presentOperation } from "../src/operations/record.ts";
import { notIdle } from "../src/sandboxes/record.ts";
import { Sandboxes } from "../src/sandboxes/repository.ts";
import { readSituation } from "../src/sandboxes/situation.ts";
import { inTransaction } from "../src/store/transaction.ts";
import { type LargeFleet, makeLargeFleet } from "./large-fleet.fixture.ts";

const scope = new Scope();
let fleet: LargeFleet;
let sandboxes: Sandboxes;
const idle = {
  since: "2026-01-02T03:04:05.678Z",
  sleepsAt: null,
  uses: [{ kind: "program" as const, detail: "vim" }],
} satisfies Idle;

beforeAll(async () => {
  fleet = await makeLargeFleet(scope, 6);
  const isFirst = (id: string) => id === fleet.sandboxIds[0];
  sandboxes = new Sandboxes({ db: fleet.store.db, isConnected: isFirst, idle: (id) => (isFirst(id) ? idle : notIdle) });
});
afterAll(() => scope.dispose());

async function rowAt(index: number) {
  const row = await sandboxes.find(fleet.sandboxIds[index] ?? "");
  if (!row) throw new Error("no such sandbox");
  return row;
}

function told(sandboxId: string) {
  return fleet.store.db.selectFrom("events").selectAll().where("sandbox_id", "=", sandboxId).orderBy("seq").execute();
}

it("an event shows a sandbox just as the API does", async () => {
  const row = await rowAt(0);
  const operation = await insertOperation(fleet.store.db, row, "start");
  const error = { code: "no_address", message: 'It has "none".', hint: "Look." };
  await sandboxes.change(row, {
    ...{ state: "failed", error: JSON.stringify(error), agent_version: "1.2.3", address: null },
    env: JSON.stringify({ zeta: "1", Alpha: "2", beta: "3" }),
    ...{ attention: "waiting", sleep_after: JSON.stringify("off") },
  });
  const [event] = await told(row.id);
  expect(event).toMatchObject({ owner_id: row.owner_id, operation_id: null, type: "sandbox" });
  expect(event?.data).toEqual(await sandboxes.present(await rowAt(0)));
  expect(event?.data).toMatchObject({
    operationId: operation.id,
    ...{ error, idle: notIdle, attention: "waiting", sleepAfterMinutes: "off" },
    envNames: ["Alpha", "beta", "zeta"],
    agent: { connected: true, version: "1.2.3" },
  });
  await sandboxes.change(row, { state: "ready" });
  const [, ready] = await told(row.id);
  expect(ready?.data).toMatchObject({ state: "ready", idle });
  expect(ready?.data).toEqual(await sandboxes.present(await rowAt(0)));
});

it("what is announced is the sandbox as it is now", async () => {
  const row = await rowAt(1);
  await sandboxes.announceNow(row);
  expect((await told(row.id)).map(({ data }) => data)).toEqual([await sandboxes.present(row)]);
});

it("only what the outside can see is told, and only when it changes", async () => {
  const row = await rowAt(2);
  await sandboxes.change(row, { task: JSON.stringify({ upid: "UPID:", step: "start", logged: 0 }) });
  await sandboxes.change(row, { state: row.state, error: null });
  expect(row.task).toEqual({ upid: "UPID:", step: "start", logged: 0 });
  expect(await told(row.id)).toEqual([]);
});

it("a copy that is out of date takes over what others have changed, and does not tell it twice", async () => {
  const [mine, theirs] = [await rowAt(3), await rowAt(3)];
  await sandboxes.change(theirs, { state: "starting" });
  await sandboxes.change(mine, { state: "starting", boot_done: 7 });
  expect(mine).toMatchObject({ state: "starting", boot_done: 7 });
  expect(await told(mine.id)).toHaveLength(1);
});

it("changes at the same time are told one after the other, the last as the row is", async () => {
  const copies = await Promise.all(Array.from({ length: 8 }, () => rowAt(4)));
  await Promise.all(
    copies.map((copy, at) => sandboxes.change(copy, at % 2 ? { cores: at } : { agent_version: `${at}` })),
  );
  const events = await told(copies[0]?.id ?? "");
  expect(events).toHaveLength(8);
  expect(events.at(-1)?.data).toEqual(await sandboxes.present(await rowAt(4)));
});

it("a change that is rolled back is not told", async () => {
  const row = await rowAt(5);
  const failing = inTransaction(fleet.store.db, async (work) => {
    await sandboxes.changeIn(work, row, { state: "failed" });
    throw new Error("back");
  });
  await expect(failing).rejects.toThrow("back");
  expect(await told(row.id)).toEqual([]);
});

it("a situation is the row with its operation, what it gave up on, and its claim until it is configured", async () => {
  const { db } = fleet.store;
  const row = await rowAt(5);
  const claim = { sandbox_id: row.id, node: "pve1", state: "abandoned" as const };
  await db
    .insertInto("claims")
    .values([
      { ...claim, vmid: 7_001 },
      { ...claim, vmid: 7_002 },
    ])
    .execute();
  await db
    .insertInto("claims")
    .values({ ...claim, vmid: row.vmid ?? 0, state: "held", asked: true })
    .execute();
  expect(await readSituation(db, row.id)).toEqual({
    ...{ row, owner: "bench", operation: undefined, claim: undefined },
    abandonedVmids: [7_001, 7_002],
    copied: false,
  });
  const copied = { sandboxId: row.id, vmid: 1, node: "pve1", snapshot: null, temporary: false, prepared: true };
  await sandboxes.change(await rowAt(4), {
    ...{ configured: false, state: "provisioning", source: JSON.stringify(copied) },
  });
  const operation = await insertOperation(db, row, "stop");
  await sandboxes.change(row, { configured: false });
  expect(await readSituation(db, row.id)).toEqual({
    ...{ row, owner: "bench", operation, claim: { createdAt: expect.any(Date), asked: true } },
    abandonedVmids: [7_001, 7_002],
    copied: true,
  });
  expect(await readSituation(db, "sbx_none")).toBeUndefined();
});

it("an operation that begins with its step is told as one that was queued before", async () => {
  const { db, pool } = fleet.store;
  const row = await rowAt(2);
  const journal = new OperationJournal({ db, events: new EventLog({ db, pool }), clock: systemClock });
  const operation = await journal.begin(row, "start", "start");
  if (!operation) throw new Error("no operation was begun");
  expect(await journal.current(row.id)).toEqual(operation);
  const events = (await told(row.id)).map(({ type, operation_id, data }) => ({ type, operation_id, data }));
  expect(events).toEqual([
    { type: "step", operation_id: operation.id, data: operation.steps[0] },
    { type: "operation", operation_id: null, data: presentOperation(operation) },
  ]);
  await journal.step(operation, "start");
  expect(await told(row.id)).toHaveLength(2);
  expect(await journal.begin(row, "stop", "stop")).toBeUndefined();
  expect(await told(row.id)).toHaveLength(2);
  await journal.fail(operation, "start", { code: "internal", message: "It failed." });
  expect((await told(row.id)).slice(2).map(({ type }) => type)).toEqual(["step", "done", "operation"]);
  expect(operation).toMatchObject({ state: "failed", error: { code: "internal" }, finished_at: expect.any(Date) });
  expect(await journal.current(row.id)).toBeUndefined();
});
