import { Scope } from "@berth/base";
import { defaultSize } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newMember, PoolMembers } from "../src/pool/members.ts";
import { poolOwnerId } from "../src/pool/owner.ts";
import type { SandboxModule } from "../src/sandboxes/module.ts";
import { SandboxService } from "../src/sandboxes/service.ts";
import { inTransaction } from "../src/store/transaction.ts";
import { fleetOwnerId, type LargeFleet, makeLargeFleet, type PretendedLinks } from "./large-fleet.fixture.ts";
import { noLimits } from "./no-limits.ts";

const template = { template_vmid: 150, template_id: null };

describe("a create while sandboxes wait in the warm pool", () => {
  const scope = new Scope();
  let fleet: LargeFleet;
  let module: SandboxModule;
  let links: PretendedLinks;
  let members: PoolMembers;
  let service: SandboxService;

  beforeAll(async () => {
    fleet = await makeLargeFleet(scope, 0);
    ({ module, links } = await fleet.moduleAt(1, { ...noLimits, sandboxesPerUser: 4, sandboxes: 4 }));
    members = new PoolMembers({ ...module, isConnected: (id) => links.isConnected(id) });
    members.templates = [template];
    service = new SandboxService({
      ...module,
      clock: { now: () => Date.now(), sleep: () => Promise.reject(new Error("nobody waits")) },
      members,
      defaultSize,
      workspaceWish: async () => ({}),
      wake: () => {},
    });
  });
  beforeEach(async () => {
    await fleet.store.db.deleteFrom("operations").execute();
    await fleet.store.db.deleteFrom("sandboxes").execute();
  });
  afterAll(() => scope.dispose());

  let vmid = 200;
  async function addMembers(count: number, more: Record<string, unknown> = {}): Promise<string[]> {
    const values = Array.from({ length: count }, () => {
      vmid += 1;
      const ready = {
        vmid,
        node: "pve1",
        configured: true,
        state: "ready",
        look_at: null,
        bootstrapped_at: new Date(),
      };
      return { ...newMember(defaultSize, new Date(0)), ...ready, ...template, ...more };
    });
    await fleet.store.db.insertInto("sandboxes").values(values).execute();
    return values.map(({ id }) => id);
  }
  const create = (body: Parameters<SandboxService["create"]>[2] = {}) =>
    inTransaction(fleet.store.db, (work) => service.create(work, fleetOwnerId, body));
  const waitingForLocks = async () => {
    const { rows: waits } = await sql<{ count: number }>`
      select count(*)::int as count from pg_locks where not granted`.execute(fleet.store.db);
    return waits[0]?.count ?? 0;
  };
  const rowOf = (id: string) =>
    fleet.store.db.selectFrom("sandboxes").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
  const rows = () => fleet.store.db.selectFrom("sandboxes").selectAll().execute();
  /** Whether a create of this body gets the one member that there is. */
  const takes = async (body: Parameters<SandboxService["create"]>[2]) => {
    await fleet.store.db.deleteFrom("sandboxes").execute();
    const [id] = await addMembers(1);
    return (await create(body)).sandbox.id === id;
  };

  it("takes one, with the wishes of whoever asks, and none is made beside it", async () => {
    const [id] = await addMembers(1);
    const { sandbox, operation } = await create({ name: "web", cores: 4, env: { A: "1" } });
    expect(sandbox).toMatchObject({ id, name: "web", ownerId: fleetOwnerId, state: "provisioning", cores: 4 });
    expect(operation).toMatchObject({ kind: "create", sandboxId: id });
    const [row, ...others] = await rows();
    expect(others).toEqual([]);
    expect(row).toMatchObject({ handover_wanted: true, change_wanted: true, env: { A: "1" }, vmid });
    expect(row?.created_at.getTime()).toBeGreaterThan(0);
  });

  it("gives each of many at once another one, and makes the rest", async () => {
    const waiting = await addMembers(2);
    const made = await Promise.all(Array.from({ length: 4 }, () => create()));
    const ids = made.map(({ sandbox }) => sandbox.id);
    expect(new Set(ids).size).toBe(4);
    expect(ids).toEqual(expect.arrayContaining(waiting));
    expect((await rows()).every(({ owner_id }) => owner_id === fleetOwnerId)).toBe(true);
  });

  it("takes none that does not fit", async () => {
    expect(await takes({})).toBe(true);
    expect(await takes({ node: "pve1", workspace: { type: "empty" } })).toBe(true);
    expect(await takes({ node: "pve2" })).toBe(false);
    expect(await takes({ vlan: 7 })).toBe(false);
    expect(await takes({ diskGiB: defaultSize.diskGiB - 1 })).toBe(false);
    expect(await takes({ memoryMiB: 128 })).toBe(false);
    expect(await takes({ start: false })).toBe(false);
  });

  it("takes none that is worked on, has lost its agent, is updated, or is a clone of another template", async () => {
    const [busy = "", updating = ""] = await addMembers(2);
    await module.journal.begin(await rowOf(busy), "start", "start");
    members.isUpdating = (id) => id === updating;
    await addMembers(1, { template_vmid: 151 });
    const [lost = ""] = await addMembers(1);
    links.lose(lost, 0);
    const { sandbox } = await create();
    expect(await rows()).toHaveLength(5);
    expect(sandbox.vmid).toBeNull();
    links.restore(lost);
    expect((await create()).sandbox.id).toBe(lost);
    members.isUpdating = () => false;
    expect((await create()).sandbox.id).toBe(updating);
  });

  it("takes one whose row is just written, rather than have another made", async () => {
    const [id = ""] = await addMembers(1);
    const written = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const writing = inTransaction(fleet.store.db, async (work) => {
      await module.sandboxes.lock(work, id);
      held.resolve();
      await written.promise;
    });
    await held.promise;
    const made = create();
    await eventually(async () => (await waitingForLocks()) > 0);
    written.resolve();
    await writing;
    expect((await made).sandbox.id).toBe(id);
  });

  it("takes one that is just looked at, and of work that begins unasked at that moment one waits for the other", async () => {
    const [id = ""] = await addMembers(1, { look_at: new Date() });
    const row = await rowOf(id);
    const begun: Promise<unknown>[] = [];
    const { sandbox } = await inTransaction(fleet.store.db, async (work) => {
      const made = await service.create(work, fleetOwnerId, {});
      // The reconciler, which found before that its container had stopped.
      begun.push(module.journal.begin(row, "start", "start"));
      return made;
    });
    expect(sandbox.id).toBe(id);
    expect(await Promise.all(begun)).toEqual([undefined]);
    const operations = await fleet.store.db.selectFrom("operations").selectAll().execute();
    expect(operations.map(({ kind, sandbox_id }) => [kind, sandbox_id])).toEqual([["create", id]]);
  });

  it("makes one where all are worked on at that moment, however many ask for one and something begins there", async () => {
    const ids = await addMembers(3);
    const rowsOfMembers = await Promise.all(ids.map(rowOf));
    const begun = rowsOfMembers.map((row) => module.journal.begin(row, "start", "start"));
    const made = await Promise.all([create(), create(), create(), create()]);
    expect(new Set(made.map(({ sandbox }) => sandbox.id)).size).toBe(4);
    const unasked = (await Promise.all(begun)).flatMap((operation) => operation?.sandbox_id ?? []);
    const taken = made.map(({ sandbox }) => sandbox.id).filter((id) => ids.includes(id));
    // Whatever was quicker: no member has both.
    expect(taken.filter((id) => unasked.includes(id))).toEqual([]);
  });

  it("refuses a name that is taken, and a sandbox above the limit, and leaves the pool as it is", async () => {
    await create({ name: "web" });
    await addMembers(1);
    await expect(create({ name: "web" })).rejects.toMatchObject({ code: "name_taken" });
    await Promise.all([create(), create(), create()]);
    await addMembers(1);
    // What waits is nobody's, and counts for nobody.
    await expect(create()).rejects.toMatchObject({ code: "limit_exceeded" });
    expect((await rows()).filter(({ owner_id }) => owner_id === poolOwnerId)).toHaveLength(1);
  });
});
