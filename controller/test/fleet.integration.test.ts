import { Scope, systemClock } from "@berth/base";
import { ClusterServer, eventually, ManualClock, type SeenCall } from "@berth/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ClusterView } from "../src/cluster/cluster-view.ts";
import { Observer } from "../src/sandboxes/observe.ts";
import { clientAt, type LargeFleet, makeLargeFleet } from "./large-fleet.fixture.ts";

const size = 300;

describe("a large fleet", () => {
  const scope = new Scope();
  const calls: SeenCall[] = [];
  let fleet: LargeFleet;
  let cluster: ClusterServer;

  beforeAll(async () => {
    fleet = await makeLargeFleet(scope, size);
  });
  beforeEach(async () => {
    cluster = await ClusterServer.start({
      ...{ nodes: [fleet.node, "pve2", "pve3"], containers: fleet.containers, ...fleet.keys.listener },
      onCall: (call) => calls.push(call),
    });
    const made = cluster;
    scope.add(() => made.close());
    calls.length = 0;
  });
  afterAll(() => scope.dispose());

  const vmidOf = (index: number) => fleet.containers[index]?.vmid ?? 0;
  const kinds = (of: (call: SeenCall) => boolean = () => true) => calls.filter(of).map(({ kind }) => kind);

  it("is noticed by one call, and each sandbox that changes by at most three", async () => {
    const { module, links } = await fleet.moduleAt(cluster.port);
    const changed = [3, 40, 77];
    for (const index of changed) links.lose(fleet.sandboxIds[index] ?? "", 11_000);
    cluster.change(vmidOf(77), { status: "stopped" });
    module.start();
    const about = (index: number) => kinds(({ vmid }) => vmid === vmidOf(index));
    const calls = () => changed.flatMap(about).length;
    await eventually(() => calls() >= 7, { timeoutMs: 20_000 });
    expect(about(3)).toEqual(["config", "interfaces"]);
    expect(about(40)).toEqual(["config", "interfaces"]);
    expect(about(77)).toEqual(["config", "status", "act"]);
    expect(kinds(({ vmid, kind }) => vmid === undefined && kind !== "task")).toEqual(["list"]);
    await module.stop();
  });

  describe("of which one container is looked at", () => {
    let observer: Observer;
    const look = async (needsAddress: boolean) => {
      const row = await fleet.store.db
        .selectFrom("sandboxes")
        .selectAll()
        .where("id", "=", fleet.sandboxIds[0] ?? "")
        .executeTakeFirstOrThrow();
      calls.length = 0;
      return observer.look({ ...row, address: null }, needsAddress);
    };
    let view: ClusterView;
    beforeEach(() => {
      const client = clientAt(scope, fleet.keys, cluster.port);
      view = new ClusterView({ client, clock: systemClock });
      observer = new Observer({ client, view, keys: fleet.keys, clock: systemClock });
    });

    it("is found on the node that it has moved to, and by the list's word alone nowhere", async () => {
      await view.containers();
      cluster.freezeList();
      cluster.change(vmidOf(0), { node: "pve3" });
      expect(await look(false)).toMatchObject({ node: "pve3", container: { kind: "ours", power: "running" } });
    });

    it("is tried first where the list shows it", async () => {
      cluster.change(vmidOf(0), { node: "pve2" });
      await view.containers();
      expect(await look(true)).toMatchObject({ node: "pve2", container: { kind: "ours", power: "running" } });
      expect(kinds()).toEqual(["config", "interfaces"]);
    });

    it("is gone only when no node has it, whatever the list says", async () => {
      await view.containers();
      cluster.freezeList();
      cluster.remove(vmidOf(0));
      expect((await look(false)).container).toEqual({ kind: "none" });
      expect(kinds(({ vmid }) => vmid !== undefined)).toEqual(["missing", "missing", "missing"]);
    });

    it("is somebody else's when its description does not name the sandbox", async () => {
      cluster.change(vmidOf(0), { description: fleet.containers[1]?.description ?? "" });
      expect((await look(false)).container).toMatchObject({ kind: "foreign" });
    });

    it("has the address of its own card, and while it has none costs one call", async () => {
      const { address = "" } = fleet.containers[0] ?? {};
      cluster.change(vmidOf(0), { address: "169.254.7.7" });
      expect((await look(true)).container).toMatchObject({ kind: "ours", address: undefined });
      expect((await look(true)).container).toMatchObject({ kind: "ours", address: undefined });
      expect(kinds()).toEqual(["interfaces"]);
      cluster.change(vmidOf(0), { address });
      expect((await look(true)).container).toMatchObject({ kind: "ours", address });
      expect(kinds()).toEqual(["interfaces", "config"]);
    });

    it("is one of many that wait for an address, which are asked no more often than the node can bear", async () => {
      const waiting = 60;
      const clock = new ManualClock();
      const client = clientAt(scope, fleet.keys, cluster.port);
      observer = new Observer({ client, view, keys: fleet.keys, clock });
      const rows = await fleet.store.db.selectFrom("sandboxes").selectAll().orderBy("vmid").limit(waiting).execute();
      for (let index = 0; index < waiting; index += 1) cluster.change(vmidOf(index), { address: "169.254.7.7" });
      const lookAtAll = () => Promise.all(rows.map((row) => observer.look({ ...row, address: null }, true)));
      await lookAtAll();
      calls.length = 0;
      const seconds = 10;
      for (let turn = 0; turn < 8 * seconds; turn += 1) {
        await clock.advance(125);
        await lookAtAll();
      }
      const asked = kinds().filter((kind) => kind === "interfaces").length / seconds;
      expect(asked).toBeGreaterThan(16);
      expect(asked).toBeLessThanOrEqual(34);
      // A few are asked as often as they are looked at.
      for (const { id } of rows.slice(3)) observer.forget(id);
      calls.length = 0;
      for (let turn = 0; turn < 8; turn += 1) {
        await clock.advance(125);
        await Promise.all(rows.slice(0, 3).map((row) => observer.look({ ...row, address: null }, true)));
      }
      expect(kinds().filter((kind) => kind === "interfaces").length).toBeGreaterThanOrEqual(3 * 8 - 3);
    });

    it("is asked for its address anew when that is in doubt", async () => {
      observer.doubtAddress(fleet.sandboxIds[0] ?? "");
      expect((await look(false)).container).toMatchObject({ address: fleet.containers[0]?.address });
      expect(kinds()).toContain("interfaces");
      await look(false);
      expect(kinds()).toEqual(["config", "status"]);
    });
  });
});
