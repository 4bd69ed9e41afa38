import type { Operation } from "@berth/protocol";
import { ProxmoxClient } from "@berth/proxmox";
import type { ClusterOptions, HostFate } from "@berth/pve-emulator";
import type { Transaction } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeOwner } from "../src/fleet/ownership.ts";
import type { Database } from "../src/store/tables.ts";
import { accessTo } from "./sweep/world/controller.ts";
import { World } from "./sweep/world/world.ts";

const gib = 1024 ** 3;
const timeoutMs = 120_000;

/** Two hosts that share a storage, and one that has only its own, which cannot link; a template on each. */
const three: ClusterOptions = {
  nodes: [
    { name: "pve1", cores: 8, memoryBytes: 32 * gib },
    { name: "pve2", cores: 8, memoryBytes: 32 * gib },
    { name: "pve3", cores: 8, memoryBytes: 32 * gib },
  ],
  storages: [
    { storage: "shared", type: "rbd", shared: true, nodes: ["pve1", "pve2"], totalBytes: 400 * gib },
    { storage: "local-dir", type: "dir", nodes: ["pve3"], totalBytes: 400 * gib },
  ],
  templates: [
    { vmid: 150, node: "pve1", storage: "shared" },
    { vmid: 151, node: "pve2", storage: "shared" },
    { vmid: 152, node: "pve3", storage: "local-dir" },
  ],
};

describe("on a cluster of three hosts", () => {
  let world: World;
  let root: ProxmoxClient;

  beforeAll(async () => {
    world = await World.open(three);
    const credentials = { kind: "password", user: "root@pam", password: world.emulator.rootPassword } as const;
    root = new ProxmoxClient({ ...accessTo(world.emulator), credentials, clock: world.clock });
  }, timeoutMs);
  afterAll(async () => {
    await root?.[Symbol.asyncDispose]();
    await world?.close();
  });

  /** Lets something befall a host, and some seconds pass: what the cluster shows is some seconds old. */
  const befall = async (fate: HostFate) => {
    await world.emulator.control.befall(fate);
    await world.sleep(3_000);
  };
  const rowOf = (sandboxId: string | null) =>
    world.clock.during(() =>
      world.store.db
        .selectFrom("sandboxes")
        .selectAll()
        .where("id", "=", sandboxId ?? "")
        .executeTakeFirst(),
    );
  const over = async ({ id }: Operation) =>
    world.until(`the end of ${id}`, async () => {
      const operation = await world.operation(id);
      return ["succeeded", "failed", "cancelled"].includes(operation.state) ? operation : undefined;
    });
  /** Makes a sandbox; answers where it is, or why it is nowhere. */
  const made = async (body: Parameters<World["create"]>[0] = {}) => {
    const operation = await over(await world.create(body));
    return { operation, row: await rowOf(operation.sandboxId) };
  };
  const claimedIds = async () => {
    const claims = await world.clock.during(() => world.store.db.selectFrom("claims").select("vmid").execute());
    return claims.map(({ vmid }) => vmid);
  };
  const logOf = async ({ id }: Operation) => {
    const events = await world.clock.during(() =>
      world.store.db.selectFrom("events").select("data").where("operation_id", "=", id).orderBy("seq").execute(),
    );
    return events.map(({ data }) => JSON.stringify(data)).join("\n");
  };

  it(
    "every create lands where it may: linked on shared storage, a whole copy on the host that has only its own",
    async () => {
      const [anywhere, local, other] = await Promise.all([
        made(),
        made({ node: "pve3" }),
        made({ node: "pve2", vlan: 30 }),
      ]);
      expect(local.row).toMatchObject({
        state: "ready",
        node: "pve3",
        placement: { full: true, storage: "local-dir" },
      });
      expect(other.row).toMatchObject({ state: "ready", node: "pve2", placement: { full: false } });
      expect(anywhere.row).toMatchObject({ state: "ready" });
      const { nets } = await root.containers.config({ node: "pve2", vmid: other.row?.vmid ?? 0 });
      expect(nets.get(0)).toMatchObject({ name: "eth0", tag: "30" });
      expect(await logOf(local.operation)).toContain("a whole copy of the template 152 on local-dir");
    },
    timeoutMs,
  );

  it(
    "many that are asked for at once are spread",
    async () => {
      const rows = (await Promise.all(Array.from({ length: 6 }, () => made()))).map(({ row }) => row);
      expect(rows.map((row) => row?.state)).toEqual(rows.map(() => "ready"));
      for (const node of ["pve1", "pve2", "pve3"]) {
        expect(rows.filter((row) => row?.node === node).length, node).toBeGreaterThanOrEqual(1);
      }
    },
    timeoutMs,
  );

  it(
    "a host in maintenance is avoided, and that is said; asked for, it is refused",
    async () => {
      await befall({ node: "pve3", maintenance: true });
      const { operation, row } = await made();
      expect(row?.node).not.toBe("pve3");
      expect(await logOf(operation)).toContain("not pve3: it is in maintenance");
      const { row: refused } = await made({ node: "pve3" });
      expect(refused).toMatchObject({ state: "failed", error: { code: "node_maintenance" } });
      await befall({ node: "pve3", maintenance: false });
    },
    timeoutMs,
  );

  it(
    "one that fills up is passed over, and says why where it is asked for",
    async () => {
      await befall({ node: "pve1", ownMemoryBytes: 31.9 * gib });
      await befall({ node: "pve3", filled: { storage: "local-dir", bytes: 399 * gib } });
      expect((await made()).row).toMatchObject({ state: "ready", node: "pve2" });
      const { row } = await made({ node: "pve3" });
      expect(row?.error).toMatchObject({
        code: "no_room",
        message: expect.stringMatching(/pve3: local-dir has 0(\.\d)? of 400 GiB free and 4 GiB are needed/),
      });
      await befall({ node: "pve2", maintenance: true });
      const nowhere = (await made()).row?.error;
      expect(nowhere?.message).toMatch(/^No node has room for 2048 MiB of memory and 4 GiB of disk\. /);
      expect(nowhere?.message).toMatch(/pve1: .* of 32 GiB of memory are free/);
      expect(nowhere?.message).toMatch(/pve2: it is in maintenance; pve3: local-dir/);
      expect(nowhere?.hint).toMatch(/^Ask for a smaller sandbox, or stop or delete others; or end the maintenance;/);
      await befall({ node: "pve1", ownMemoryBytes: 0 });
      await befall({ node: "pve2", maintenance: false });
      await befall({ node: "pve3", filled: { storage: "local-dir", bytes: 0 } });
    },
    timeoutMs,
  );

  it(
    "one that dies in the middle of a clone loses it to another, and what was left there is not forgotten",
    async () => {
      for (const node of ["pve1", "pve3"]) await befall({ node, maintenance: true });
      world.emulator.control.faults.add({ path: "/lxc/151/clone$", fault: { kind: "task", end: "endless" }, times: 1 });
      const operation = await world.create();
      const begun = await world.until("the clone", async () => {
        const row = await rowOf(operation.sandboxId);
        return row?.task && row.node === "pve2" ? row : undefined;
      });
      for (const node of ["pve1", "pve3"]) await befall({ node, maintenance: false });
      await befall({ node: "pve2", online: false });
      expect(await over(operation)).toMatchObject({ state: "succeeded" });
      const row = await rowOf(operation.sandboxId);
      expect(row).toMatchObject({ state: "ready", error: null });
      expect(row?.node).not.toBe("pve2");
      expect(await logOf(operation)).toContain("the node pve2 went down while");
      expect((await made({ node: "pve2" })).row?.error).toMatchObject({ code: "node_offline" });
      await befall({ node: "pve2", online: true });
      const half = { node: "pve2", vmid: begun.vmid ?? 0 };
      expect(await root.containers.config(half)).toMatchObject({ lock: "create" });
      // The API can do neither: half a clone is in no pool yet, and so out of the token's reach.
      for (const vmid of [151, half.vmid]) await world.pct({ command: "unlock", vmid });
      await world.sleep(120_000);
      expect(await claimedIds()).toContain(half.vmid);
      await world.pct({ command: "destroy", vmid: half.vmid });
      await world.until("it is known to be gone", async () =>
        (await claimedIds()).includes(half.vmid) ? undefined : true,
      );
    },
    timeoutMs,
  );

  it(
    "a container that was moved is found, and its sandbox knows where",
    async () => {
      const { row } = await made({ node: "pve1" });
      const vmid = row?.vmid ?? 0;
      await world.pct({ command: "migrate", vmid, target: "pve2", restart: true });
      await world.until("it is ready on pve2", async () => {
        const now = await rowOf(row?.id ?? "");
        return now?.node === "pve2" && now.state === "ready" && world.controller.fleet ? now : undefined;
      });
      const { service, lookup } = world.controller.fleet;
      const { db } = world.controller.database;
      const operation = await db.transaction().execute(async (trx) => {
        const present = await lookup.own(row?.id ?? "", row?.owner_id ?? "", trx);
        return service.want({ trx, afterCommit: (then) => then() }, present, "destroy");
      });
      expect(await over(operation)).toMatchObject({ state: "succeeded" });
      await expect(root.containers.config({ node: "pve2", vmid })).rejects.toThrow(/does not exist/);
    },
    timeoutMs,
  );

  it(
    "containers of others are never touched, whatever their names, tags, descriptions and ids",
    async () => {
      const sandbox = (await made({ name: "mine", node: "pve1" })).row;
      // Just the ids that would be given out next.
      const used = new Set((await root.cluster.containers()).map(({ vmid }) => vmid));
      const free = Array.from({ length: 300 }, (_, index) => 153 + index).filter((vmid) => !used.has(vmid));
      const [one = 0, two = 0, , four = 0] = free;
      const told = { name: "mine", owner: "ada" };
      const foreign = [
        {
          vmid: one,
          node: "pve1",
          hostname: "mine",
          description: describeOwner(world.keys, sandbox?.id ?? "", sandbox?.vmid ?? 0, told),
        },
        { vmid: two, node: "pve2", hostname: "berth-template", description: "berth" },
        {
          vmid: four,
          node: "pve1",
          hostname: "next",
          description: describeOwner(world.keys, "sbx_00000000000000000000", four, told),
        },
      ];
      for (const { vmid, node, hostname, description } of foreign) {
        const upid = await root.containers.clone(
          { node, vmid: node === "pve1" ? 150 : 151 },
          { newId: vmid, hostname, description, pool: world.emulator.pool },
        );
        expect((await root.tasks.wait(upid)).error).toBeUndefined();
        await root.containers.configure({ node, vmid }, { tags: ["berth"] });
        expect((await root.tasks.wait(await root.containers.start({ node, vmid }))).error).toBeUndefined();
      }
      const look = () =>
        Promise.all(
          foreign.map(async (at) => [await root.containers.config(at), (await root.containers.status(at)).running]),
        );
      const before = await look();
      const others = await Promise.all([made({ name: "next" }), made(), made({ node: "pve2" })]);
      expect(others.map(({ row }) => row?.state)).toEqual(["ready", "ready", "ready"]);
      await world.restart();
      const { service } = world.controller.fleet;
      const rows = await world.clock.during(() => world.store.db.selectFrom("sandboxes").selectAll().execute());
      const { db } = world.controller.database;
      const destroyed = rows.map(async (row) => {
        const wish = (trx: Transaction<Database>) =>
          service.want({ trx, afterCommit: (then) => then() }, row, "destroy");
        return (await over(await db.transaction().execute(wish))).state;
      });
      expect(new Set(await Promise.all(destroyed))).toEqual(new Set(["succeeded"]));
      expect(await look()).toEqual(before);
      const left = (await root.cluster.containers()).map(({ vmid }) => vmid).sort((a, b) => a - b);
      expect(left).toEqual([150, 151, 152, one, two, four]);
    },
    timeoutMs,
  );
});
