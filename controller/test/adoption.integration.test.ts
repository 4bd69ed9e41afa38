import { type Operation, type OrphanEvent, orphanEventSchema } from "@berth/protocol";
import { formatPropertyString } from "@berth/proxmox";
import { Value } from "typebox/value";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { adopt } from "../src/adoption/adopt.ts";
import { readOwner } from "../src/fleet/ownership.ts";
import { changeSandbox } from "../src/sandboxes/changes.ts";
import { inTransaction } from "../src/store/transaction.ts";
import { ended } from "./sweep/flows.ts";
import { World } from "./sweep/world/world.ts";

const callerId = "usr_ada";

describe("an orphan that is adopted", async () => {
  const world = await World.open();
  const name = "web";
  afterAll(() => world.close());

  const succeed = async (operation: Operation) => expect((await ended(world, operation)).error).toBeNull();
  const rows = () => world.store.db.selectFrom("sandboxes").selectAll().execute();
  const rename = (username: string) =>
    world.store.db.updateTable("users").set({ username }).where("id", "=", "usr_sweep").execute();
  const found = async () => {
    const [orphan, ...others] = await world.controller.fleet.orphans.find();
    expect(others).toEqual([]);
    if (!orphan) throw new Error("there is no orphan");
    return orphan;
  };
  const adoptAs = async (id: string) => {
    const { fleet, database } = world.controller;
    const orphan = await found();
    const made = await inTransaction(database.db, (work) => adopt(work, { ...fleet, clock: world.clock }, orphan, id));
    await succeed(made.operation);
    return made.sandbox;
  };

  let username: string;
  beforeEach(async () => {
    const { db } = world.store;
    await db
      .insertInto("users")
      .values({ id: callerId, username: "ada", role: "admin" })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    if ((await rows()).length === 0) await succeed(await world.create({ name, env: { EDITOR: "nano" } }));
    ({ username } = await db
      .selectFrom("users")
      .select("username")
      .where("id", "=", "usr_sweep")
      .executeTakeFirstOrThrow());
    await world.orphan();
  });

  // The next one begins with a sandbox.
  afterEach(async () => {
    if ((await world.controller.fleet.orphans.find()).length > 0) await adoptAs(callerId);
  });

  it("is its owner's, whoever asks for it", async () => {
    const adopted = await adoptAs(callerId);
    expect(adopted).toMatchObject({ name, ownerId: "usr_sweep", cores: 2, diskGiB: 4 });
  });

  it("has another name where its own is taken, and then tells that one", async () => {
    const { orphan } = await found();
    await world.store.db
      .insertInto("sandboxes")
      .values({
        ...{ id: "sbx_00000000000000000000", owner_id: callerId, name, cores: 1, memory_mib: 512, disk_gib: 4 },
        ...{ workspace: JSON.stringify({ type: "empty" }), env: "{}", desired: "stopped", state: "failed" },
      })
      .execute();
    expect(await adoptAs(callerId)).toMatchObject({ id: orphan.sandboxId, name: `${name}-2` });
    await world.store.db.deleteFrom("sandboxes").where("id", "=", "sbx_00000000000000000000").execute();
    const told = await world.until("the new name", async () => {
      const { description } = await world.client.containers.config({ node: orphan.node, vmid: orphan.vmid });
      const owner = readOwner(world.keys, description, orphan.vmid);
      return owner.kind === "ours" && owner.told?.name !== name ? owner.told : undefined;
    });
    expect(told).toEqual({ name: `${name}-2`, owner: username });
  });

  it("is the caller's where there is no user of its owner's name, and goes to one alone who asks twice", async () => {
    await rename("somebody-else");
    const orphan = await found();
    const adopted = await adoptAs(callerId);
    expect(adopted.ownerId).toBe(callerId);
    const { fleet, database } = world.controller;
    const again = inTransaction(database.db, (work) => adopt(work, { ...fleet, clock: world.clock }, orphan, callerId));
    await expect(again).rejects.toMatchObject({ code: "conflict" });
    expect(await rows()).toHaveLength(1);
  });

  it("has the environment that was set for it, and nothing of the fleet's own in it", async () => {
    const { orphan } = await found();
    expect(await adoptAs(callerId)).toMatchObject({ envNames: [] });
    const [row] = await rows();
    expect(row).toMatchObject({ id: orphan.sandboxId, env: { EDITOR: "nano" } });
  });

  it("sleeps when it was to sleep, as its description tells", async () => {
    const { orphan } = await found();
    await adoptAs(callerId);
    const change = async (sleepAfterMinutes: number | "off" | null) => {
      const { fleet, database } = world.controller;
      const [row] = await rows();
      if (!row) throw new Error("there is no sandbox");
      await inTransaction(database.db, (work) => changeSandbox(work, fleet, row, { sleepAfterMinutes }));
      await world.until("it is told", async () => {
        const { description } = await world.client.containers.config({ node: orphan.node, vmid: orphan.vmid });
        const mark = readOwner(world.keys, description, orphan.vmid);
        return mark.kind === "ours" && (mark.told?.sleepAfter ?? null) === sleepAfterMinutes ? true : undefined;
      });
    };
    for (const wish of [90, "off", null] as const) {
      await change(wish);
      await world.orphan();
      expect(await adoptAs(callerId)).toMatchObject({ sleepAfterMinutes: wish });
    }
  });

  it("has the VLAN that its container has", async () => {
    const { orphan, config } = await found();
    const at = { node: orphan.node, vmid: orphan.vmid };
    const net0 = formatPropertyString({ ...config.nets.get(0), tag: "42" });
    await world.client.containers.configure(at, { net0 });
    expect(await adoptAs(callerId)).toMatchObject({ vlan: 42, drift: [] });
    await world.client.containers.configure(at, { net0: formatPropertyString(config.nets.get(0) ?? {}) });
  });

  describe("is told of", () => {
    const look = () => world.clock.during(() => world.controller.fleet.orphanWatch.look());
    const told = async () => {
      const { db } = world.store;
      const events = await db
        .selectFrom("events")
        .select(["owner_id", "data"])
        .where("type", "=", "orphan")
        .orderBy("seq")
        .execute();
      return events.map(({ owner_id: user, data }) => {
        const { state, orphan } = Value.Parse(orphanEventSchema, data);
        return { user, state, vmid: orphan.vmid };
      });
    };
    const once = (state: OrphanEvent["state"], vmid: number) =>
      ["usr_ada", "usr_sweep"].map((user) => ({ user, state, vmid }));
    const byUser = (events: Awaited<ReturnType<typeof told>>) =>
      events.toSorted((a, b) => a.user.localeCompare(b.user));
    beforeEach(async () => {
      await world.store.db.deleteFrom("events").where("type", "=", "orphan").execute();
      await world.store.db.deleteFrom("orphans").execute();
    });

    it("once, to everybody but the warm pool, also by the next controller", async () => {
      const { orphan } = await found();
      await look();
      await look();
      await world.restart();
      await look();
      expect(byUser(await told())).toEqual(once("appeared", orphan.vmid));
    });

    it("once when it is adopted", async () => {
      const { orphan } = await found();
      await look();
      await adoptAs(callerId);
      expect(byUser((await told()).slice(2))).toEqual(once("vanished", orphan.vmid));
      await look();
      expect(await told()).toHaveLength(4);
      expect(await world.store.db.selectFrom("orphans").selectAll().execute()).toEqual([]);
    });

    it("not as gone while its node is away", async () => {
      const { orphan } = await found();
      await look();
      const { toldOrphans } = world.controller.fleet;
      const away = { found: [], strangers: [], unreadable: [orphan.vmid] };
      await inTransaction(world.store.db, (work) => toldOrphans.note(work, away));
      expect(await told()).toHaveLength(2);
      await inTransaction(world.store.db, (work) => toldOrphans.note(work, { ...away, unreadable: [] }));
      expect((await told()).map(({ state }) => state)).toEqual(["appeared", "appeared", "vanished", "vanished"]);
    });

    it("not by a look that was taken before it was adopted", async () => {
      const { fleet } = world.controller;
      const before = await fleet.orphans.look();
      expect(before.found).toHaveLength(1);
      await adoptAs(callerId);
      await inTransaction(world.store.db, (work) => fleet.toldOrphans.note(work, before));
      expect(await told()).toEqual([]);
    });
  });
});
