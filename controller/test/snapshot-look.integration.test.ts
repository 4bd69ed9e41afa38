import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fork } from "../src/snapshots/fork.ts";
import { lookAtSnapshots } from "../src/snapshots/look.ts";
import { wantDiskWork } from "../src/snapshots/service.ts";
import { inTransaction } from "../src/store/transaction.ts";
import { bring, ended, keptSnapshot } from "./sweep/flows.ts";
import { World } from "./sweep/world/world.ts";

describe("what was seen of a sandbox's snapshots before a wish", async () => {
  const world = await World.open();
  beforeAll(() => bring(world, "kept"));
  afterAll(() => world.close());

  const row = async () => {
    const found = await world.sandbox();
    if (!found) throw new Error("there is no sandbox");
    return found;
  };
  const look = async () => {
    const { database, client } = world.controller;
    return lookAtSnapshots(database.db, client, await row());
  };
  const want = async (kind: "rollback" | "delete_snapshot", name: string, seen: Awaited<ReturnType<typeof look>>) => {
    const { fleet, database } = world.controller;
    const at = await row();
    return inTransaction(database.db, (work) => wantDiskWork(work, fleet, at, { kind, name }, seen));
  };

  it("refuses a name that was not there", async () => {
    await expect(want("rollback", "other", await look())).rejects.toMatchObject({ code: "not_found" });
  });

  it("counts no more once the disk was worked on, for a rollback as for a copy", async () => {
    const seen = await look();
    const again = async () => {
      await ended(world, await world.wantOfDisk("delete_snapshot"));
      await ended(world, await world.wantOfDisk("snapshot"));
    };
    await again();
    await expect(want("rollback", keptSnapshot, seen)).rejects.toMatchObject({ code: "conflict" });
    const { fleet, database } = world.controller;
    const events = { append: async () => {} };
    const deps = { ...fleet, events, now: () => world.clock.now() };
    const at = await row();
    const copy = inTransaction(database.db, (work) => fork(work, deps, at, { snapshot: keptSnapshot }, seen));
    await expect(copy).rejects.toMatchObject({ code: "conflict" });
  });

  it("is all that the wish itself needs: Proxmox is not asked while the row is held", async () => {
    const seen = await look();
    const asked: string[] = [];
    world.onPoint = (point) => {
      if (point.startsWith("before ") && /(GET|POST|PUT|DELETE) \//.test(point)) asked.push(point);
      return false;
    };
    const { fleet, database } = world.controller;
    const at = await row();
    const operation = await inTransaction(database.db, async (work) => {
      const wished = await wantDiskWork(work, fleet, at, { kind: "delete_snapshot", name: keptSnapshot }, seen);
      expect(asked).toEqual([]);
      return wished;
    });
    expect(await ended(world, operation)).toMatchObject({ state: "succeeded" });
    expect(asked.length).toBeGreaterThan(0);
  });
});
