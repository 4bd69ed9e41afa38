import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { identifyProcess } from "@berth/base/node";
import { eventually, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { containerName } from "../src/backend/lxc/names.ts";
import { type EnsuredEmulator, ensureEmulator } from "../src/index.ts";
import { ApiClient, field } from "./api-client.ts";
import { networkTraces, requireLxc, run, tracesOf, untested } from "./lxc-traces.ts";

const program = fileURLToPath(new URL("./fixtures/emulator-main.ts", import.meta.url));

let directory: TemporaryDirectory;
let dataDir: string;
let emulator: EnsuredEmulator;
let api: ApiClient;

const ensure = async (): Promise<void> => {
  emulator = await ensureEmulator({ dataDir, backend: "lxc", isolated: true, program });
  api = await ApiClient.open(emulator, dataDir);
};

/** Kills the emulator as a power cut would, and waits until it is gone. */
const crash = async (): Promise<void> => {
  process.kill(emulator.pid, "SIGKILL");
  await eventually(() => identifyProcess(emulator.pid) === undefined);
};

const statusOf = async (vmid: number) =>
  String(field(await api.must("GET", `${api.container(vmid)}/status/current`), "status"));

const inside = (vmid: number, ...words: string[]) =>
  run("lxc-attach", ["-P", "/var/lib/lxc", "-n", containerName(dataDir, vmid), "--", ...words]);

describe.skipIf(untested !== undefined)(`an emulator of LXC containers that was killed (${untested ?? "LXC"})`, () => {
  beforeAll(async () => {
    await requireLxc();
    directory = await temporaryDirectory();
    dataDir = join(directory.path, "data");
    await ensure();
  }, 180_000);

  afterAll(async () => {
    await emulator?.stop();
    expect(await tracesOf(dataDir)).toEqual([]);
    expect(await networkTraces(dataDir)).toEqual([]);
    await directory?.dispose();
  }, 60_000);

  it("is followed by one that takes its containers over", async () => {
    await api.sandbox(201);
    const address = await eventually(
      async () => {
        const found = await api.address(201);
        return /^\d/.test(found) ? found : undefined;
      },
      { timeoutMs: 20_000 },
    );
    const before = await api.must("GET", `${api.container(201)}/status/current`);
    const { hostAddress } = emulator;
    await crash();
    await ensure();
    expect(emulator.hostAddress).toBe(hostAddress);
    expect(field(await api.must("GET", `${api.container(201)}/status/current`), "pid")).toBe(field(before, "pid"));
    expect(await api.address(201)).toBe(address);
    expect(await api.task("POST", `${api.container(201)}/status/shutdown`)).toBe("OK");
    expect(await tracesOf(dataDir, 201)).toEqual([]);
  });

  it("is followed by one that boots a container again which was rebooted meanwhile", { timeout: 60_000 }, async () => {
    expect(await api.task("POST", `${api.container(201)}/status/start`)).toBe("OK");
    await crash();
    await eventually(() => inside(201, "systemctl", "reboot").then(() => true), { timeoutMs: 10_000 });
    const ended = join(dataDir, "containers/201/ended");
    await eventually(async () => (await readFile(ended, "utf8").catch(() => "")) === "reboot\n", { timeoutMs: 20_000 });
    await ensure();
    await eventually(async () => (await statusOf(201)) === "running", { timeoutMs: 10_000 });
  });

  it("is followed by one that ends what is left of a container whose monitor was killed", async () => {
    const { stdout } = await run("pgrep", ["-f", `^\\[lxc monitor\\].*${containerName(dataDir, 201)}`]);
    await crash();
    process.kill(Number(stdout), "SIGKILL");
    await ensure();
    expect(await statusOf(201)).toBe("stopped");
    expect(await tracesOf(dataDir, 201)).toEqual([]);
    expect(await api.task("POST", `${api.container(201)}/status/start`)).toBe("OK");
    expect(await api.task("POST", `${api.container(201)}/status/stop`)).toBe("OK");
  });

  // Somewhere in the mounting, in LXC's own start, and after it.
  for (const delayMs of [0, 15, 30, 45, 60, 80, 110, 150]) {
    it(`leaves no half-started container when it is killed ${delayMs} ms into a start`, {
      timeout: 60_000,
    }, async () => {
      await api.must("POST", `${api.container(201)}/status/start`);
      await wait(delayMs);
      await crash();
      await ensure();
      const status = await statusOf(201);
      if (status === "running") {
        await inside(201, "true");
        expect(await api.task("POST", `${api.container(201)}/status/stop`)).toBe("OK");
      }
      expect(await tracesOf(dataDir, 201)).toEqual([]);
      expect(await api.task("POST", `${api.container(201)}/status/start`)).toBe("OK");
      await inside(201, "true");
      expect(await api.task("POST", `${api.container(201)}/status/stop`)).toBe("OK");
    });
  }

  it("thaws a container in the midst of whose snapshot it was killed", { timeout: 60_000 }, async () => {
    expect(await api.task("POST", `${api.container(201)}/status/start`)).toBe("OK");
    await eventually(
      () => inside(201, "dd", "if=/dev/urandom", "of=/workspace/big", "bs=1M", "count=600").then(() => true),
      {
        timeoutMs: 30_000,
      },
    );
    await api.must("POST", `${api.container(201)}/snapshot`, { snapname: "early" });
    const copy = join(dataDir, "containers/201/snapshots/early.img.new");
    await eventually(() => existsSync(copy), { intervalMs: 2 });
    await crash();
    // Whoever writes to a frozen file system waits in the kernel, and cannot be killed, until it is thawed.
    const written = inside(201, "touch", "/workspace/thawed").then(() => "written");
    expect(await Promise.race([written, wait(500, "frozen")])).toBe("frozen");
    await ensure();
    expect(await written).toBe("written");
    const snapshots = [{ name: "early", snapstate: "prepare" }, { name: "current" }];
    expect(await api.must("GET", `${api.container(201)}/snapshot`)).toMatchObject(snapshots);
    expect(await api.task("DELETE", api.container(201), { force: 1 })).toBe("OK");
    expect(await tracesOf(dataDir, 201)).toEqual([]);
  });

  it("cleans up a clone in whose midst it was killed", { timeout: 60_000 }, async () => {
    const order = { newid: 202, pool: emulator.pool, full: 1, bwlimit: 1000 };
    await api.must("POST", `${api.container(150)}/clone`, order);
    await crash();
    await ensure();
    expect(await api.must("GET", "/cluster/nextid", { vmid: 202 })).toBe("202");
    await api.sandbox(202);
    expect(await api.task("DELETE", api.container(202), { force: 1 })).toBe("OK");
  });
});
