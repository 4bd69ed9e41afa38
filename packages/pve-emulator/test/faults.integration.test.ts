import { eventually, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Fault, FaultRule, RunningEmulator } from "../src/index.ts";
import { ApiClient, field } from "./api-client.ts";
import { startMemoryEmulator } from "./memory-emulator.ts";

describe("a fault that was asked for", () => {
  let directory: TemporaryDirectory;
  let emulator: RunningEmulator;
  let client: ApiClient;
  beforeAll(async () => {
    directory = await temporaryDirectory();
    emulator = await startMemoryEmulator(directory.path);
    client = await ApiClient.open(emulator, directory.path);
  });
  afterEach(() => emulator.control.faults.clear());
  afterAll(async () => {
    await emulator[Symbol.asyncDispose]();
    await directory.dispose();
  });

  const befall = (path: string, fault: Fault, more: Partial<FaultRule> = {}) =>
    client.sendJson("POST", "/_faults", { path, fault, times: 1, ...more });
  const clone = (newid: number) =>
    client.task("POST", `${client.container(150)}/clone`, { newid, pool: emulator.pool });
  const lockOf = async (vmid: number) => field(await client.must("GET", `${client.container(vmid)}/config`), "lock");

  const pct = async (command: "unlock" | "destroy", vmid: number) =>
    expect((await client.sendJson("POST", "/_pct", { command, vmid })).status).toBe(200);

  it("answers as Proxmox does: 401 and its proxy's statuses by their reason phrase alone, others with a body", async () => {
    const answers = [];
    for (const status of [401, 403, 500, 595, 599]) {
      await befall("/version", { kind: "status", status });
      const { status: seen, reason, data } = await client.call("GET", "/version");
      answers.push([seen, reason, data]);
    }
    expect(answers).toEqual([
      [401, "Authentication failed!", undefined],
      [403, "Permission check failed", null],
      [500, "unable to open file - No space left on device", null],
      [595, "Connection refused", undefined],
      [599, "Too many redirections", undefined],
    ]);
  });

  it("befalls the calls that it is meant for: of a caller, after some that are let through, so often", async () => {
    await befall("/version", { kind: "status", status: 500 }, { skip: 1, times: 2 });
    const statuses = [];
    for (let call = 0; call < 4; call += 1) statuses.push((await client.call("GET", "/version")).status);
    expect(statuses).toEqual([200, 500, 500, 200]);
    await befall("/version", { kind: "status", status: 500 }, { caller: "root@pam" });
    expect((await client.call("GET", "/version")).status).toBe(200);
  });

  it("loses the answer of a call before it acts, after it, or in the middle", async () => {
    expect(await clone(170)).toBe("OK");
    const config = `${client.container(170)}/config`;
    const acted = [];
    for (const [index, when] of (["before", "after", "body"] as const).entries()) {
      await befall("/config$", { kind: "cut", when }, { method: "PUT" });
      await expect(client.call("PUT", config, { cores: index + 2 })).rejects.toThrow();
      acted.push(field(await client.must("GET", config), "cores") === index + 2);
    }
    expect(acted).toEqual([false, true, true]);
    expect(await client.task("DELETE", client.container(170))).toBe("OK");
  });

  it("never answers, having acted or not, and answers late whether or not anybody waits", async () => {
    expect(await clone(171)).toBe("OK");
    const config = `${client.container(171)}/config`;
    const cores = async () => Number(field(await client.must("GET", config), "cores"));
    const isHit = async () => emulator.control.faults.list().some(({ hits }) => hits === 1);
    let answered = false;
    for (const when of ["after", "before"] as const) {
      await befall("/config$", { kind: "hang", when }, { method: "PUT" });
      void client.call("PUT", config, { cores: when === "after" ? 2 : 3 }).then(
        () => (answered = true),
        () => {},
      );
      await eventually(isHit);
      await eventually(async () => (await cores()) === 2);
      emulator.control.faults.clear();
    }
    expect(answered).toBe(false);
    const began = performance.now();
    await befall("/config$", { kind: "late", ms: 300 }, { method: "PUT" });
    expect((await client.call("PUT", config, { cores: 4 })).status).toBe(200);
    expect(performance.now() - began).toBeGreaterThanOrEqual(290);
    expect(await cores()).toBe(4);
    expect(await client.task("DELETE", client.container(171))).toBe("OK");
  });

  it("fails or kills a task that has done its work, which is done all the same", async () => {
    await befall("/clone$", { kind: "task", end: "kill", when: "after" });
    expect(await clone(172)).toBe("unexpected status");
    expect([await lockOf(150), await lockOf(172)]).toEqual([undefined, undefined]);
    expect(await client.task("POST", `${client.container(172)}/status/start`)).toBe("OK");
    await befall("/status/stop$", { kind: "task", end: "fail", when: "after", reason: "who knows" });
    expect(await client.task("POST", `${client.container(172)}/status/stop`)).toBe("who knows");
    expect(field(await client.must("GET", `${client.container(172)}/status/current`), "status")).toBe("stopped");
    expect(await client.task("DELETE", client.container(172))).toBe("OK");
  });

  it("holds a call until it is released, and does not handle it when its caller is gone by then", async () => {
    await befall("/clone$", { kind: "hold", when: "before" });
    const answer = client.call("POST", `${client.container(150)}/clone`, { newid: 160, pool: emulator.pool });
    const rule = await eventually(async () => emulator.control.faults.list().find(({ hits }) => hits === 1));
    const { data } = await client.call("GET", "/cluster/nextid", { vmid: 160 });
    expect(data).toBe("160");
    expect((await client.sendJson("POST", `/_faults/${rule.id}/release`, {})).status).toBe(200);
    const { status, data: upid } = await answer;
    expect(status).toBe(200);
    expect(await client.follow(String(upid))).toBe("OK");
    expect(await client.task("DELETE", client.container(160))).toBe("OK");
  });

  it("answers a list as it was", async () => {
    const path = "/cluster/resources";
    const vmids = async () => {
      const list = await client.must("GET", path, { type: "vm" });
      return Array.isArray(list) ? list.map((one) => field(one, "vmid")) : [];
    };
    await befall(path, { kind: "stale", ms: 60_000 }, { times: 100 });
    expect(await vmids()).toEqual([150]);
    expect(await clone(161)).toBe("OK");
    expect(await vmids()).toEqual([150]);
    emulator.control.faults.clear();
    expect(await vmids()).toEqual([150, 161]);
    expect(await client.task("DELETE", client.container(161))).toBe("OK");
  });

  it("fails a task, which then cleans up", async () => {
    await befall("/clone$", { kind: "task", end: "fail", reason: "no space" });
    expect(await clone(162)).toBe("clone failed: no space");
    expect((await client.call("GET", "/cluster/nextid", { vmid: 162 })).status).toBe(200);
    expect(await lockOf(150)).toBeUndefined();
  });

  it("kills a task's worker, which leaves its locks and half its work for the host's shell", async () => {
    await befall("/clone$", { kind: "task", end: "kill" });
    expect(await clone(163)).toBe("unexpected status");
    expect(await lockOf(150)).toBe("disk");
    const { status, reason } = await client.call("POST", `${client.container(150)}/clone`, {
      newid: 164,
      pool: emulator.pool,
    });
    expect([status, reason]).toEqual([500, "CT is locked (disk)"]);
    expect((await client.call("GET", "/cluster/nextid", { vmid: 163 })).status).toBe(400);
    expect((await client.sendJson("POST", "/_pct", { command: "destroy", vmid: 163 })).status).toBe(500);
    await pct("unlock", 150);
    await pct("unlock", 163);
    await pct("destroy", 163);
    expect((await client.call("GET", "/cluster/nextid", { vmid: 163 })).status).toBe(200);
    expect(await clone(163)).toBe("OK");
    expect(await client.task("DELETE", client.container(163))).toBe("OK");
  });

  it("leaves nothing but a lock of a container whose removal is killed", async () => {
    expect(await clone(166)).toBe("OK");
    await befall("/lxc/166", { kind: "task", end: "kill" });
    expect(await client.task("DELETE", client.container(166))).toBe("unexpected status");
    const config = await client.must("GET", `${client.container(166)}/config`);
    expect(config).toEqual({ lock: "destroyed", digest: expect.any(String) });
    expect(await client.call("DELETE", client.container(166))).toMatchObject({
      status: 500,
      reason: "CT is locked (destroyed)",
    });
    await pct("unlock", 166);
    await pct("destroy", 166);
    expect((await client.call("GET", "/cluster/nextid", { vmid: 166 })).status).toBe(200);
  });

  it("leaves a container whose removal fails as it was", async () => {
    expect(await clone(167)).toBe("OK");
    await befall("/lxc/167", { kind: "task", end: "fail", reason: "busy" });
    expect(await client.task("DELETE", client.container(167))).toBe("busy");
    expect(await client.task("POST", `${client.container(167)}/status/start`)).toBe("OK");
    expect(await client.task("DELETE", client.container(167), { force: 1 })).toBe("OK");
  });

  it("leaves the lock of a snapshot, a rollback and a snapshot's removal that are killed", async () => {
    expect(await clone(168)).toBe("OK");
    const at = client.container(168);
    const calls = [
      ["POST", `${at}/snapshot`, "snapshot"],
      ["POST", `${at}/snapshot/early/rollback`, "rollback"],
      ["DELETE", `${at}/snapshot/early`, "snapshot-delete"],
    ] as const;
    for (const [method, path, lock] of calls) {
      const parameters = path.endsWith("/snapshot") ? { snapname: "early" } : {};
      await befall("/lxc/168/snapshot", { kind: "task", end: "kill" });
      expect(await client.task(method, path, parameters)).toBe("unexpected status");
      expect(await lockOf(168)).toBe(lock);
      await pct("unlock", 168);
      // What was begun of a snapshot stays in the configuration, and its name taken.
      const half = (await client.must("GET", `${at}/snapshot`)) as { name: string; snapstate?: string }[];
      const state = { snapshot: "prepare", rollback: undefined, "snapshot-delete": "delete" }[lock];
      expect(half.find(({ name }) => name === "early")?.snapstate).toBe(state);
      if (lock === "snapshot") expect(await client.task("DELETE", `${at}/snapshot/early?force=1`)).toBe("OK");
      if (lock !== "snapshot-delete") expect(await client.task(method, path, parameters)).toBe("OK");
    }
    expect(await client.task("DELETE", at)).toBe("OK");
  });

  it("keeps a task from ending until somebody stops it, whereupon it cleans up", async () => {
    await befall("/clone$", { kind: "task", end: "endless" });
    const order = { newid: 165, pool: emulator.pool };
    const upid = String(await client.must("POST", `${client.container(150)}/clone`, order));
    const status = await client.must("GET", `${client.node}/tasks/${encodeURIComponent(upid)}/status`);
    expect(field(status, "status")).toBe("running");
    expect((await client.call("DELETE", `${client.node}/tasks/${encodeURIComponent(upid)}`)).status).toBe(200);
    expect(await client.follow(upid)).toBe("clone failed: interrupted by signal");
    expect((await client.call("GET", "/cluster/nextid", { vmid: 165 })).status).toBe(200);
  });

  it("is told of with every call in the record of calls", async () => {
    const before = emulator.control.calls.since(0).at(-1)?.number ?? 0;
    await befall("/version", { kind: "status", status: 500 });
    await client.call("GET", "/version");
    await client.call("GET", "/version");
    const { data } = await client.send("GET", `/_calls?since=${before}`, {});
    expect(data).toMatchObject([
      { method: "GET", target: "/api2/json/version", fault: { kind: "status" }, caller: "controller@pve!berth" },
      { method: "GET", target: "/api2/json/version", fault: null, status: 200 },
    ]);
  });
});
