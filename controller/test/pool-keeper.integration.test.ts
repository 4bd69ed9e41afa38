import { PassThrough } from "node:stream";
import { Scope } from "@berth/base";
import { defaultSize, newId } from "@berth/protocol";
import { eventually, ManualClock } from "@berth/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createLogger } from "../src/http/logger.ts";
import { PoolKeeper } from "../src/pool/keeper.ts";
import { PoolMembers } from "../src/pool/members.ts";
import { poolOwnerId } from "../src/pool/owner.ts";
import type { SandboxModule } from "../src/sandboxes/module.ts";
import { inTransaction } from "../src/store/transaction.ts";
import { type LargeFleet, makeLargeFleet } from "./large-fleet.fixture.ts";

const scope = new Scope();
const clock = new ManualClock(1_000_000);
let fleet: LargeFleet;
let module: SandboxModule;
let keeper: PoolKeeper;

beforeAll(async () => {
  fleet = await makeLargeFleet(scope, 0);
  ({ module } = await fleet.moduleAt(1));
  const { sandboxes, journal, service } = module;
  const facts = {
    vmid: 150,
    node: "pve1",
    name: "t",
    sshPort: 22,
    sshUser: "root",
    built: undefined,
    contents: undefined,
  };
  keeper = new PoolKeeper({
    ...{ db: fleet.store.db, sandboxes, service, clock, log: createLogger("error", new PassThrough()) },
    members: new PoolMembers({ sandboxes, journal, isConnected: () => true }),
    templates: { all: async () => [{ ...facts, storage: undefined, diskGiB: undefined }] },
    ...{ defaultSize: 2, sandboxSize: defaultSize },
  });
  keeper.start();
});
afterAll(async () => {
  await keeper.stop();
  await scope.dispose();
});

const rows = () =>
  fleet.store.db
    .selectFrom("sandboxes")
    .selectAll()
    .where("owner_id", "=", poolOwnerId)
    .orderBy("created_at")
    .execute();
const set = (id: string, values: Record<string, unknown>) =>
  fleet.store.db.updateTable("sandboxes").set(values).where("id", "=", id).execute();
/** As the reconciler does it. */
const becomesReady = (id: string) => set(id, { state: "ready", look_at: null, template_vmid: 150 });
const wait = async (ms: number) => {
  await eventually(() => clock.pending > 0);
  await clock.advance(ms);
  await eventually(() => clock.pending > 0);
};
const remove = async (id: string) => {
  await fleet.store.db.deleteFrom("operations").where("sandbox_id", "=", id).execute();
  await fleet.store.db.deleteFrom("sandboxes").where("id", "=", id).execute();
};

it("fills the pool one by one, replaces what fails later and later, and gives up what is too much", async () => {
  await eventually(async () => (await rows()).length === 1);
  await wait(5_000);
  const [first] = await rows();
  expect(await rows()).toHaveLength(1);
  expect(await keeper.status()).toEqual({ size: 2, ready: 0, filling: 1, failed: null });

  await becomesReady(first?.id ?? "");
  await wait(1_000);
  const second = (await rows())[1]?.id ?? "";
  expect(await keeper.status()).toMatchObject({ ready: 1, filling: 1 });

  const reason = { code: "no_address", message: "It got no address." };
  await set(second, { state: "failed", error: JSON.stringify(reason) });
  await fleet.store.db.updateTable("operations").set({ state: "failed" }).where("sandbox_id", "=", second).execute();
  await wait(1_000);
  expect((await rows()).map(({ desired }) => desired)).toEqual(["running", "destroyed"]);
  expect((await keeper.status()).failed).toEqual({ count: 1, reason });
  await remove(second);
  // One that was ready before proves nothing.
  await wait(1_000);
  expect(await rows()).toHaveLength(1);
  await wait(10_000);
  const third = (await rows())[1]?.id ?? "";
  expect(third).toMatch(/^sbx_/);
  expect((await keeper.status()).failed?.count).toBe(1);
  await becomesReady(third);
  await wait(1_000);
  expect(await keeper.status()).toEqual({ size: 2, ready: 2, filling: 0, failed: null });

  await inTransaction(fleet.store.db, (work) => keeper.resize(work, 1));
  await eventually(async () => (await rows()).some(({ desired }) => desired === "destroyed"));
  expect(await keeper.status()).toEqual({ size: 1, ready: 1, filling: 0, failed: null });
});

it("lets somebody's own sandbox be made first", async () => {
  for (const { id } of await rows()) await remove(id);
  const mine = await inTransaction(fleet.store.db, (work) =>
    module.service.create(work, "usr_bench", { name: `mine-${newId("user").slice(4, 9)}` }),
  );
  await wait(10_000);
  expect(await rows()).toEqual([]);
  await remove(mine.sandbox.id);
  await wait(10_000);
  await eventually(async () => (await rows()).length === 1);
});
