import { join } from "node:path";
import { eventually, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ClusterOptions, RunningEmulator } from "../src/index.ts";
import { ApiClient } from "./api-client.ts";
import { startMemoryEmulator } from "./memory-emulator.ts";

const gibibyte = 1024 ** 3;

/** Two hosts that share a storage, and one that has but its own, which cannot link; a template on each kind. */
const three: ClusterOptions = {
  nodes: [{ name: "pve1", cores: 8, memoryBytes: 16 * gibibyte }, { name: "pve2" }, { name: "pve3" }],
  storages: [
    { storage: "shared", type: "rbd", shared: true, nodes: ["pve1", "pve2"], totalBytes: 100 * gibibyte },
    { storage: "local-dir", type: "dir", nodes: ["pve3", "pve1"], totalBytes: 10 * gibibyte },
  ],
  templates: [
    { vmid: 150, node: "pve1", storage: "shared" },
    { vmid: 151, node: "pve3", storage: "local-dir" },
  ],
};

describe("an emulated cluster", () => {
  let emulator: RunningEmulator;
  let api: ApiClient;
  let dataDir: string;
  let dispose: () => Promise<void>;

  beforeEach(async () => {
    const directory = await temporaryDirectory();
    dataDir = join(directory.path, "data");
    emulator = await startMemoryEmulator(dataDir, undefined, three);
    api = await ApiClient.open(emulator, dataDir);
    dispose = async () => {
      await emulator[Symbol.asyncDispose]();
      await directory.dispose();
    };
  });
  afterEach(() => dispose());

  const clone = (template: string, order: Record<string, string | number>) =>
    api.call("POST", `${template}/clone`, { pool: emulator.pool, ...order });
  const one = "/nodes/pve1/lxc/150";
  const local = "/nodes/pve3/lxc/151";
  const resources = async () => {
    const list = await api.must("GET", "/cluster/resources");
    return (Array.isArray(list) ? list : []) as Record<string, unknown>[];
  };

  it("clones to another host where the storage is shared, and shows the container there alone", async () => {
    const upid = (await clone(one, { newid: 201, target: "pve2" })).data;
    expect(String(upid)).toMatch(/^UPID:pve1:/);
    const root = await api.asRoot();
    expect(await root.must("GET", "/nodes/pve1/lxc/201/config")).toMatchObject({ lock: "create" });
    expect(await api.follow(String(upid))).toBe("OK");
    expect(await api.must("GET", "/nodes/pve2/lxc/201/config")).toMatchObject({
      rootfs: expect.stringMatching(/^shared:/),
    });
    expect(await api.call("GET", "/nodes/pve1/lxc/201/config")).toMatchObject({
      status: 500,
      reason: "Configuration file 'nodes/pve1/lxc/201.conf' does not exist",
    });
    expect((await clone(local, { newid: 201, full: 1 })).reason).toBe("CT 201 already exists on node 'pve2'");
    expect(await api.task("POST", "/nodes/pve2/lxc/201/status/start")).toBe("OK");
    expect(await resources()).toContainEqual(expect.objectContaining({ vmid: 201, node: "pve2", status: "running" }));
  });

  it("refuses what a storage cannot do, in Proxmox's words", async () => {
    const reason = async (order: Promise<{ status: number; reason: string }>) => (await order).reason;
    expect(await reason(clone(local, { newid: 201 }))).toMatch(
      /^Linked clone feature for 'local-dir:.*' is not available/,
    );
    expect(await reason(clone(local, { newid: 201, full: 1, target: "pve1" }))).toBe(
      "can't clone CT to node 'pve1' (CT uses local storage)",
    );
    expect(await reason(clone(one, { newid: 201, target: "pve3" }))).toBe(
      "storage 'shared' is not available on node 'pve3'",
    );
    expect(await reason(clone(one, { newid: 201, target: "pve9" }))).toBe("no such cluster node 'pve9'");
    expect(await reason(clone(one, { newid: 201, full: 1, target: "pve1", storage: "none" }))).toBe(
      "storage 'none' does not exist",
    );
  });

  it("has storages that fill up, with whole disks and by others", async () => {
    for (const newid of [201, 202, 203]) {
      expect(await api.follow(String((await clone(local, { newid, full: 1 })).data))).toBe("OK");
    }
    const space = async (path: string) => (await api.must("GET", `${path}/status`)) as { avail: number };
    expect((await space("/nodes/pve3/storage/local-dir")).avail).toBe(2 * gibibyte);
    expect((await space("/nodes/pve1/storage/local-dir")).avail).toBe(10 * gibibyte);
    await emulator.control.befall({ node: "pve3", filled: { storage: "local-dir", bytes: gibibyte } });
    const full = await api.follow(String((await clone(local, { newid: 204, full: 1 })).data));
    expect(full).toMatch(/^clone failed: .*No space left on device/);
    expect(await api.call("GET", "/nodes/pve3/lxc/204/config")).not.toMatchObject({ status: 200 });
  });

  it("loses a host in the middle of a clone: its workers vanish with their locks, and others say 595 of it", async () => {
    emulator.control.faults.add({ path: "/clone$", fault: { kind: "task", end: "endless" }, times: 1 });
    const upid = String((await clone(local, { newid: 201, full: 1 })).data);
    await emulator.control.befall({ node: "pve3", online: false });
    for (const path of ["/nodes/pve3/lxc", `/nodes/pve3/tasks/${encodeURIComponent(upid)}/status`]) {
      expect(await api.call("GET", path)).toMatchObject({ status: 595, reason: "No route to host" });
    }
    expect(await api.must("GET", "/nodes")).toContainEqual({
      ...{ node: "pve3", id: "node/pve3", type: "node", status: "offline", level: "" },
      ssl_fingerprint: emulator.nodes[2]?.fingerprint,
    });
    expect(await resources()).toContainEqual(expect.objectContaining({ vmid: 151, node: "pve3", status: "unknown" }));
    const third = await ApiClient.openAt(emulator, dataDir, "pve3");
    await expect(third.must("GET", "/version")).rejects.toThrow(/ECONNREFUSED/);
    await emulator.control.befall({ node: "pve3", online: true });
    expect(await third.must("GET", "/version")).toMatchObject({ version: expect.any(String) });
    expect(await api.follow(upid)).toBe("unexpected status");
    expect((await clone(local, { newid: 202, full: 1 })).reason).toBe("CT is locked (disk)");
    const root = await api.asRoot();
    expect(await root.must("GET", "/nodes/pve3/lxc/201/config")).toMatchObject({ lock: "create" });
  });

  it("starts again, when a host is back, what is to start with it", async () => {
    await api.follow(String((await clone(one, { newid: 201, target: "pve2" })).data));
    await api.must("PUT", "/nodes/pve2/lxc/201/config", { onboot: 1 });
    await api.task("POST", "/nodes/pve2/lxc/201/status/start");
    await emulator.control.befall({ node: "pve2", online: false });
    await emulator.control.befall({ node: "pve2", online: true });
    await eventually(async () => {
      const status = await api.must("GET", "/nodes/pve2/lxc/201/status/current");
      return (status as { status: string }).status === "running";
    });
  });

  it("tells of maintenance as HA does, and of hosts that have a size of their own", async () => {
    await emulator.control.befall({ node: "pve2", maintenance: true });
    await emulator.control.befall({ node: "pve1", ownMemoryBytes: 6 * gibibyte });
    const nodes = (await resources()).filter(({ type }) => type === "node");
    expect(nodes.map(({ node, hastate }) => [node, hastate])).toEqual([
      ["pve1", undefined],
      ["pve2", "maintenance"],
      ["pve3", undefined],
    ]);
    expect(nodes[0]).toMatchObject({ maxcpu: 8, maxmem: 16 * gibibyte, mem: 6 * gibibyte });
  });

  it("moves a container to another host, where it is found from then on", async () => {
    await api.follow(String((await clone(one, { newid: 201 })).data));
    await api.task("POST", "/nodes/pve1/lxc/201/status/start");
    const root = await api.asRoot();
    const migrate = "/nodes/pve1/lxc/201/migrate";
    expect((await api.call("POST", migrate, { target: "pve2" })).status).toBe(403);
    expect((await root.call("POST", migrate, { target: "pve2" })).reason).toBe(
      "can't migrate running container without --online or --restart",
    );
    expect(await root.task("POST", migrate, { target: "pve3", restart: 1 })).toBe(
      "storage 'shared' is not available on node 'pve3'",
    );
    expect(await root.task("POST", migrate, { target: "pve2", restart: 1 })).toBe("OK");
    expect(await api.must("GET", "/nodes/pve2/lxc/201/status/current")).toMatchObject({ status: "running" });
    expect((await api.call("GET", "/nodes/pve1/lxc/201/status/current")).status).toBe(500);
  });

  it("answers for the whole at every host, and keeps what is where over a restart", async () => {
    await api.follow(String((await clone(one, { newid: 201, target: "pve2" })).data));
    const second = await ApiClient.openAt(emulator, dataDir, "pve2");
    expect(await second.must("GET", "/nodes/localhost/lxc")).toMatchObject([{ vmid: 201 }]);
    expect(await second.must("GET", "/nodes/pve1/lxc/150/config")).toMatchObject({ template: 1 });
    await emulator[Symbol.asyncDispose]();
    emulator = await startMemoryEmulator(dataDir, undefined, three);
    api = await ApiClient.open(emulator, dataDir);
    expect(await api.must("GET", "/nodes/pve2/lxc")).toMatchObject([{ vmid: 201 }]);
  });
});
