import { Scope } from "@berth/base";
import { BerthError } from "@berth/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Limits } from "../src/limits/limits.ts";
import type { SandboxModule } from "../src/sandboxes/module.ts";
import { inTransaction } from "../src/store/transaction.ts";
import { fleetOwnerId, type LargeFleet, makeLargeFleet } from "./large-fleet.fixture.ts";
import { noLimits } from "./no-limits.ts";

const otherOwnerId = "usr_other";
const small = { cores: 1, memoryMiB: 1024, diskGiB: 8 };

describe("within its limits a fleet", () => {
  const scope = new Scope();
  let fleet: LargeFleet;

  beforeAll(async () => {
    fleet = await makeLargeFleet(scope, 0);
    await fleet.store.db.insertInto("users").values({ id: otherOwnerId, username: "other", role: "admin" }).execute();
  });
  beforeEach(() => fleet.store.db.deleteFrom("sandboxes").execute());
  afterAll(() => scope.dispose());

  const moduleWith = async (limits: Partial<Limits>): Promise<SandboxModule> =>
    (await fleet.moduleAt(1, { ...noLimits, ...limits })).module;
  const create = ({ service }: SandboxModule, body = {}, ownerId = fleetOwnerId) =>
    inTransaction(fleet.store.db, (work) => service.create(work, ownerId, { ...small, ...body }));
  const refusalOf = (made: Promise<unknown>) =>
    made.then(
      () => undefined,
      (error: unknown) => (error instanceof BerthError ? error : Promise.reject(error)),
    );
  const count = async () => (await fleet.store.db.selectFrom("sandboxes").select("id").execute()).length;

  it("has no more sandboxes than allowed, also when many are asked for at once", async () => {
    const module = await moduleWith({ sandboxes: 3 });
    const refusals = await Promise.all(Array.from({ length: 8 }, () => refusalOf(create(module))));
    expect(await count()).toBe(3);
    const codes = refusals.flatMap((refusal) => (refusal ? [refusal.code] : []));
    expect(codes).toEqual(Array.from({ length: 5 }, () => "limit_exceeded"));
  });

  it("says what was asked for, what is used and what is allowed", async () => {
    const module = await moduleWith({ memoryMiB: 3000, diskGiB: 100 });
    await create(module, { memoryMiB: 2000 });
    const refusal = await refusalOf(create(module, { memoryMiB: 1500 }));
    expect(refusal?.message).toBe(
      "The fleet's limit: 1500 MiB of memory asked for, 2000 used by others, 3000 allowed.",
    );
    expect(refusal?.fields).toEqual({ memoryMiB: "1500 MiB of memory asked for, 2000 used by others, 3000 allowed" });
    expect(refusal?.hint).toContain("BERTH_MAX_MEMORY_MIB");
    expect(refusal?.status).toBe(429);
  });

  it("tells what is used of its limits, in all and by each user, without what is on its way out", async () => {
    const module = await moduleWith({ sandboxes: 20, sandboxesPerUser: 5, cores: 32 });
    await create(module);
    await create(module, { cores: 3, start: false });
    await create(module, { cores: 2, memoryMiB: 2048 }, otherOwnerId);
    await create(module, { cores: 4 }, otherOwnerId);
    await fleet.store.db.updateTable("sandboxes").set({ desired: "destroyed" }).where("cores", "=", 4).execute();
    expect(await module.limits.inUse(fleet.store.db, fleetOwnerId)).toEqual({
      fleet: {
        ...{ sandboxes: { used: 3, limit: 20 }, cores: { used: 3, limit: 32 } },
        ...{ memoryMiB: { used: 3072, limit: null }, diskGiB: { used: 24, limit: null } },
      },
      mine: {
        ...{ sandboxes: { used: 2, limit: 5 }, cores: { used: 1, limit: null } },
        ...{ memoryMiB: { used: 1024, limit: null }, diskGiB: { used: 16, limit: null } },
      },
    });
  });

  it("counts each user's sandboxes apart", async () => {
    const module = await moduleWith({ sandboxesPerUser: 1 });
    await create(module);
    expect(await refusalOf(create(module, {}, otherOwnerId))).toBeUndefined();
    expect((await refusalOf(create(module)))?.message).toMatch(
      /^Your limit: 1 sandboxes asked for, 1 used by others, 1/,
    );
  });

  it("does not count cores and memory of what is stopped, and asks again when that is to start", async () => {
    const module = await moduleWith({ cores: 1, diskGiB: 16 });
    const { sandbox } = await create(module, { start: false });
    await create(module);
    const start = inTransaction(fleet.store.db, async (work) => {
      const row = await module.lookup.own(sandbox.id, fleetOwnerId, work.trx);
      return module.service.want(work, row, "start");
    });
    expect((await refusalOf(start))?.fields).toEqual({ cores: "1 cores asked for, 1 used by others, 1 allowed" });
    expect((await refusalOf(create(module, { start: false })))?.fields).toHaveProperty("diskGiB");
  });

  it("lets a sandbox shrink, and stay as it is, above a limit that was lowered", async () => {
    const { sandbox } = await create(await moduleWith({}), { cores: 4 });
    const { limits } = await moduleWith({ cores: 2 });
    const resize = (cores: number) =>
      refusalOf(
        inTransaction(fleet.store.db, (work) =>
          limits.require(work, {
            ...{ ownerId: fleetOwnerId, sandboxId: sandbox.id, running: true },
            size: { ...small, cores },
          }),
        ),
      );
    expect(await resize(3)).toBeUndefined();
    expect(await resize(4)).toBeUndefined();
    expect((await resize(5))?.code).toBe("limit_exceeded");
  });
});

describe("a sandbox's size", () => {
  const scope = new Scope();
  afterAll(() => scope.dispose());

  it("is the one that was named, the numbers beside it count more, and its VLAN is its own", async () => {
    const fleet = await makeLargeFleet(scope, 0);
    const { module } = await fleet.moduleAt(1);
    const made = await inTransaction(fleet.store.db, (work) =>
      module.service.create(work, fleetOwnerId, { size: "large", cores: 6, vlan: 30 }),
    );
    expect(made.sandbox).toMatchObject({ cores: 6, memoryMiB: 8192, diskGiB: 32, vlan: 30 });
    const plain = await inTransaction(fleet.store.db, (work) => module.service.create(work, fleetOwnerId, {}));
    expect(plain.sandbox).toMatchObject({ cores: 2, memoryMiB: 2048, diskGiB: 8, vlan: null });
  });
});
