import { describe, expect, it } from "vitest";
import { type PlacementNode, type PlacementTemplate, type PlacementWish, place } from "../src/cluster/placement.ts";
import { nodesOf } from "../src/cluster/placer.ts";

const gib = 1024 ** 3;

function node(name: string, more: Partial<PlacementNode> = {}): PlacementNode {
  return {
    ...{ name, online: true, maintenance: false, storages: [zfs(100)] },
    memory: { totalBytes: 32 * gib, usedBytes: 8 * gib, promisedBytes: 0 },
    ...more,
  };
}

function storage(name: string, type: string, freeGiB: number, shared = false) {
  return { name, type, shared, totalBytes: 200 * gib, freeBytes: freeGiB * gib };
}

const zfs = (freeGiB: number) => storage("local-zfs", "zfspool", freeGiB);
const dir = (freeGiB: number) => storage("local", "dir", freeGiB);
const rbd = (freeGiB: number) => storage("ceph", "rbd", freeGiB, true);
const nfs = (freeGiB: number) => storage("nas", "nfs", freeGiB, true);

function template(on: string, disk = "local-zfs", more: Partial<PlacementTemplate> = {}): PlacementTemplate {
  return { vmid: 150, node: on, storage: disk, diskGiB: 2, current: true, ...more };
}

const memory = (usedGiB: number, promisedGiB = 0) => ({
  ...{ totalBytes: 32 * gib, usedBytes: usedGiB * gib },
  promisedBytes: promisedGiB * gib,
});

const wish: PlacementWish = {
  ...{ node: null, memoryMiB: 2048, diskGiB: 8, runs: true, storage: undefined, memoryOvercommit: 1 },
};

function placed(wanted: Partial<PlacementWish>, nodes: PlacementNode[], templates: PlacementTemplate[]) {
  const placement = place({ ...wish, ...wanted }, nodes, templates);
  if (placement.kind === "nowhere") throw new Error(placement.refusals.map(({ reason }) => reason).join("; "));
  return placement.place;
}

function refused(wanted: Partial<PlacementWish>, nodes: PlacementNode[], templates: PlacementTemplate[]) {
  const placement = place({ ...wish, ...wanted }, nodes, templates);
  expect(placement.kind).toBe("nowhere");
  return placement.refusals.map(({ node: name, kind, reason }) => `${name} ${kind}: ${reason}`);
}

describe("a sandbox is placed", () => {
  it("on the template's node where that has local storage, and shares its disk there", () => {
    const nodes = [node("a"), node("b", { memory: memory(0) })];
    expect(placed({}, nodes, [template("a")])).toMatchObject({ node: "a", full: false, storage: undefined });
  });

  it("where the most like it fit, by memory after what was promised and by storage", () => {
    const shared = (name: string, more: Partial<PlacementNode>) => node(name, { storages: [rbd(500)], ...more });
    const on = template("a", "ceph");
    const nodes = [shared("a", { memory: memory(4, 20) }), shared("b", { memory: memory(12) })];
    expect(placed({}, nodes, [on])).toMatchObject({ node: "b", full: false });
    const full = node("b", { memory: memory(0), storages: [dir(9)] });
    const templates = [template("a", "local"), template("b", "local", { vmid: 151 })];
    expect(placed({}, [node("a", { storages: [dir(90)] }), full], templates)).toMatchObject({
      node: "a",
      storage: "local",
    });
  });

  it("by memory where shared storage is what there is least of", () => {
    const scarce = (name: string, promisedGiB: number) =>
      node(name, { storages: [rbd(9)], memory: memory(4, promisedGiB) });
    const nodes = [scarce("a", 4), scarce("b", 2), scarce("c", 6)];
    expect(placed({}, nodes, [template("a", "ceph")])).toMatchObject({ node: "b" });
  });

  it("as a whole copy where its storage cannot link, beside the template or where the settings want it", () => {
    const nodes = [node("a", { storages: [dir(90), zfs(20)] })];
    const on = template("a", "local");
    expect(placed({ storage: "local-zfs" }, nodes, [on])).toMatchObject({ full: true, storage: "local-zfs" });
    expect(placed({}, nodes, [on])).toMatchObject({ full: true, storage: "local" });
  });

  it("on another node by a whole copy onto storage that both have", () => {
    const nodes = [node("a", { storages: [zfs(50), nfs(80)] }), node("b", { storages: [nfs(80)] })];
    expect(placed({ node: "b" }, nodes, [template("a")])).toMatchObject({ node: "b", full: true, storage: "nas" });
    expect(placed({ node: "a" }, nodes, [template("a")])).toMatchObject({ node: "a", full: false });
  });

  it("by a template of the newest version, where one of an older has more room", () => {
    const nodes = [node("a", { memory: memory(0) }), node("b", { memory: memory(20) })];
    const templates = [template("b", "local-zfs", { vmid: 151 }), template("a", "local-zfs", { current: false })];
    expect(placed({}, nodes, templates)).toMatchObject({ node: "b" });
    expect(placed({ node: "a" }, nodes, templates).template.vmid).toBe(150);
  });

  it("not on a node that is down or in maintenance, and that is said", () => {
    const storages = [rbd(100)];
    const nodes = [
      node("a", { storages, online: false }),
      node("b", { storages, maintenance: true }),
      node("c", { storages }),
      node("d", { storages, memory: memory(31) }),
    ];
    const placement = place(wish, nodes, [template("c", "ceph")]);
    expect(placement).toMatchObject({ kind: "placed", place: { node: "c" } });
    expect(placement.refusals.map(({ node: name, kind }) => [name, kind])).toEqual([
      ["a", "offline"],
      ["b", "maintenance"],
      ["d", "memory"],
    ]);
  });

  it("where nothing is known of memory and storage, since the token may not see them", () => {
    const blind = { memory: undefined, storages: [] };
    expect(placed({}, [node("a", blind)], [template("a")])).toMatchObject({ node: "a", full: false });
  });

  it("over what is promised as far as the settings allow, and never on the last of the memory", () => {
    const promised = [node("a", { memory: memory(8, 24) })];
    const on = [template("a")];
    expect(refused({}, promised, on)).toEqual([
      "a memory: 24 of 32 GiB of memory are free, 24 GiB of it promised to sandboxes, and 2 GiB are needed",
    ]);
    expect(placed({ memoryOvercommit: 2 }, promised, on)).toMatchObject({ node: "a" });
    expect(placed({ runs: false }, promised, on)).toMatchObject({ node: "a" });
    expect(refused({ memoryOvercommit: 9 }, [node("a", { memory: memory(31.8) })], on)[0]).toMatch(
      /^a memory: 0.2 of 32/,
    );
  });
});

describe("a sandbox that fits nowhere", () => {
  it("is refused with the numbers of every node", () => {
    const nodes = [
      node("a", { storages: [dir(5)] }),
      node("b", { storages: [zfs(50)] }),
      node("c", { memory: memory(31) }),
      node("d", { online: false }),
    ];
    const templates = [template("a", "local"), template("c", "local-zfs", { vmid: 151 })];
    expect(refused({}, nodes, templates)).toEqual([
      "a storage: local has 5 of 200 GiB free and 8 GiB are needed",
      "b template: no template can be cloned to it: none is there, and none elsewhere on a storage that it shares",
      "c memory: 1 of 32 GiB of memory are free and 2 GiB are needed",
      "d offline: it is offline",
    ]);
  });

  it("is told of a storage for whole copies that the node does not have", () => {
    const reasons = refused({ storage: "fast" }, [node("a", { storages: [dir(90)] })], [template("a", "local")]);
    expect(reasons[0]).toMatch(/^a template: .*; and it has no storage fast for whole copies/);
  });

  it("is not placed by a template whose own node is down", () => {
    const nodes = [node("a", { online: false, storages: [rbd(9)] }), node("b", { storages: [rbd(9)] })];
    expect(refused({ node: "b" }, nodes, [template("a", "ceph")])[0]).toMatch(/^b template/);
  });
});

describe("the room of a node", () => {
  const room = {
    nodes: [
      {
        ...{ node: "a", online: true, maintenance: false, cpu: 0.1, cores: 8, uptimeSeconds: 5 },
        ...{ memoryBytes: 4 * gib, maxMemoryBytes: 32 * gib },
      },
    ],
    storages: [
      {
        ...{ node: "a", storage: "local", type: "dir", shared: false, available: true, content: ["rootdir"] },
        ...{ totalBytes: 100 * gib, usedBytes: 10 * gib },
      },
      {
        ...{ node: "a", storage: "iso", type: "dir", shared: false, available: true, content: ["iso"] },
        ...{ totalBytes: gib, usedBytes: 0 },
      },
    ],
    containers: [{ vmid: 201, node: "a", memoryBytes: 1.5 * gib }],
  };

  it("is less by what sandboxes there may still use, and by copies that are on their way", () => {
    const row = { node: "a", memory_mib: 2048, disk_gib: 8, placement: null };
    const promised = [
      { ...row, vmid: 201, desired: "running", configured: true },
      { ...row, vmid: 202, desired: "running", configured: false, placement: { storage: "local" } },
      { ...row, vmid: 203, desired: "stopped", configured: true },
    ];
    expect(nodesOf(room, promised)).toEqual([
      {
        ...{ name: "a", online: true, maintenance: false },
        memory: { totalBytes: 32 * gib, usedBytes: 4 * gib, promisedBytes: 2.5 * gib },
        storages: [{ name: "local", type: "dir", shared: false, totalBytes: 100 * gib, freeBytes: 82 * gib }],
      },
    ]);
  });
});
