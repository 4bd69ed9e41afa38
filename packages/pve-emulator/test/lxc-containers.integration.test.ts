import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { containerName } from "../src/backend/lxc/names.ts";
import { type RunningEmulator, startEmulator } from "../src/index.ts";
import { ApiClient, field, payloadFolder } from "./api-client.ts";
import { networkTraces, requireLxc, run, tracesOf, untested } from "./lxc-traces.ts";

let directory: TemporaryDirectory;
let dataDir: string;
let emulator: RunningEmulator;
let api: ApiClient;

const attach = ["-P", "/var/lib/lxc"];
/** Runs a shell command as a container's root; answers its output. */
const inside = async (vmid: number, command: string): Promise<string> => {
  const words = [...attach, "-n", containerName(dataDir, vmid), "--clear-env", "--", "/bin/sh", "-c", command];
  return (await run("lxc-attach", words, { timeout: 20_000 })).stdout;
};
const current = (vmid: number) => api.must("GET", `${api.container(vmid)}/status/current`);
const power = (vmid: number, word: string) => api.task("POST", `${api.container(vmid)}/status/${word}`);
const config = (vmid: number, change: Record<string, string | number>) =>
  api.must("PUT", `${api.container(vmid)}/config`, change);
const clone = (vmid: number) => api.task("POST", `${api.container(150)}/clone`, { newid: vmid, pool: emulator.pool });

describe.skipIf(untested !== undefined)(`containers of LXC (${untested ?? "real ones"})`, () => {
  beforeAll(async () => {
    await requireLxc();
    directory = await temporaryDirectory();
    dataDir = join(directory.path, "data");
    const payload = { programs: payloadFolder };
    emulator = await startEmulator({ dataDir, backend: "lxc", isolated: true, payload });
    api = await ApiClient.open(emulator, dataDir);
  }, 180_000);

  afterEach(async () => {
    const list = await api.must("GET", `${api.node}/lxc`);
    const vmids = Array.isArray(list)
      ? list.map((one) => Number(field(one, "vmid"))).filter((vmid) => vmid !== 150)
      : [];
    await Promise.all(vmids.map((vmid) => api.task("DELETE", api.container(vmid), { force: 1 })));
    expect(await tracesOf(dataDir)).toEqual([]);
  });

  afterAll(async () => {
    await emulator?.[Symbol.asyncDispose]();
    expect(await tracesOf(dataDir)).toEqual([]);
    expect(await networkTraces(dataDir)).toEqual([]);
    await directory?.dispose();
  }, 60_000);

  it("are unprivileged", async () => {
    await api.sandbox(201);
    expect(await inside(201, "id -u; cat /proc/self/uid_map")).toMatch(/^0\n +0 +\d{6,} +65536\n$/);
    await expect(inside(201, "echo /tmp/core >/proc/sys/kernel/core_pattern")).rejects.toThrow();
    await expect(inside(201, "mknod /tmp/disk b 7 0 && cat /tmp/disk")).rejects.toThrow();
  });

  it("hold their limits of memory, and change them while they run", async () => {
    await api.sandbox(201);
    await config(201, { memory: 256, swap: 0 });
    const eat = "head -c 400M /dev/zero | tail -c 350M >/dev/null && echo eaten";
    await expect(inside(201, `${eat}; exit 1`)).rejects.toThrow();
    await config(201, { memory: 1024 });
    expect(await inside(201, eat)).toBe("eaten\n");
    expect(field(await current(201), "maxmem")).toBe(1024 * 1024 ** 2);
    expect(Number(field(await current(201), "mem"))).toBeGreaterThan(1024 ** 2);
  });

  it("hold their limit of processors", async () => {
    await api.sandbox(201);
    await config(201, { cores: 1 });
    await inside(201, "for n in 1 2 3; do (timeout 3 sh -c 'while :; do :; done' >/dev/null 2>&1 &); done");
    await current(201);
    const busy = await eventually(
      async () => {
        const share = Number(field(await current(201), "cpu"));
        return share > 0.3 ? share : undefined;
      },
      { intervalMs: 500 },
    );
    expect(busy).toBeLessThanOrEqual(1);
  });

  it("hold their limit of disk, say so inside, and start all the same when it is full", {
    timeout: 60_000,
  }, async () => {
    await api.sandbox(201);
    const size = async () => Number(await inside(201, "df --output=size -B1M / | tail -n 1"));
    expect(await size()).toBeGreaterThan(1900);
    expect(await size()).toBeLessThanOrEqual(2048);
    await expect(inside(201, "fallocate -l 3G /workspace/big")).rejects.toThrow(/No space left/);
    await inside(
      201,
      "rm -f /workspace/big; fallocate -l 1850M /workspace/fill; cat /dev/zero >>/workspace/fill 2>/dev/null; true",
    );
    expect(await power(201, "shutdown")).toBe("OK");
    expect(await power(201, "start")).toBe("OK");
    await inside(201, "rm /workspace/fill");
    const upid = String(await api.must("PUT", `${api.container(201)}/resize`, { disk: "rootfs", size: "3G" }));
    expect(await api.follow(upid)).toBe("OK");
    // At once where the machine allows it, at the next start otherwise.
    if ((await size()) < 2100) {
      expect(await power(201, "shutdown")).toBe("OK");
      expect(await power(201, "start")).toBe("OK");
    }
    expect(await size()).toBeGreaterThan(2900);
  });

  it("give Docker what it needs: a /proc that can be mounted again, and overlays below /var/lib/docker", async () => {
    await api.sandbox(201);
    expect(await inside(201, "unshare --mount --pid --fork sh -c 'mount -t proc proc /mnt && ls /mnt/1/comm'")).toBe(
      "/mnt/1/comm\n",
    );
    const folders = "lower upper work merged";
    const overlay = "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,userxattr merged";
    const script = `cd /var/lib/docker && mkdir ${folders} && touch lower/one && ${overlay} && touch merged/two && rm merged/one && ls merged`;
    expect(await inside(201, `unshare --mount sh -c '${script}'`)).toBe("two\n");
  });

  it("can be rebooted from inside, which applies what was pending", { timeout: 60_000 }, async () => {
    await api.sandbox(201);
    await config(201, { nameserver: "192.0.2.53" });
    const { pid } = Object(await current(201));
    await eventually(() => inside(201, "systemctl reboot").then(() => true));
    await eventually(
      async () => {
        const status = await current(201);
        return field(status, "status") === "running" && field(status, "pid") !== pid;
      },
      { timeoutMs: 20_000 },
    );
    expect(await inside(201, "cat /etc/resolv.conf")).toContain("nameserver 192.0.2.53");
  });

  it("cannot lead the machine astray by links in their files", async () => {
    await api.sandbox(201);
    const target = join(directory.path, "victim");
    await writeFile(target, "untouched", { mode: 0o666 });
    await inside(
      201,
      `rm -rf /etc/hostname /etc/systemd/network; ln -s ${target} /etc/hostname; ln -s ${directory.path} /etc/systemd/network`,
    );
    expect(await power(201, "shutdown")).toBe("OK");
    expect(await power(201, "start")).toBe("OK");
    expect(await readFile(target, "utf8")).toBe("untouched");
    await expect(stat(join(directory.path, "eth0.network"))).rejects.toThrow();
    expect(await inside(201, "cat /etc/hostname")).toBe("sandbox-201\n");
  });

  it("tell in their task why they do not start", async () => {
    expect(await clone(201)).toBe("OK");
    await writeFile(join(dataDir, "containers/201/disk.img"), Buffer.alloc(2 * 1024 * 1024));
    const upid = String(await api.must("POST", `${api.container(201)}/status/start`));
    const exit = await api.follow(upid);
    expect(exit).toMatch(/^startup for container '201' failed: .*(?:ext4|magic|superblock|filesystem|mount)/i);
    expect((await api.log(upid)).at(-1)).toContain("startup for container '201' failed");
    expect(await tracesOf(dataDir, 201)).toEqual([]);
  });

  it("run twenty at once, each with an address", { timeout: 180_000 }, async () => {
    const vmids = Array.from({ length: 20 }, (_, index) => 300 + index);
    // A template makes one clone at a time.
    for (const vmid of vmids) expect(await clone(vmid)).toBe("OK");
    expect(await Promise.all(vmids.map((vmid) => power(vmid, "start")))).toEqual(vmids.map(() => "OK"));
    const addresses = await Promise.all(
      vmids.map((vmid) =>
        eventually(
          async () => {
            const found = await api.address(vmid);
            return /^\d/.test(found) ? found : undefined;
          },
          { timeoutMs: 60_000, intervalMs: 100 },
        ),
      ),
    );
    expect(new Set(addresses).size).toBe(vmids.length);
    expect(await Promise.all(vmids.map((vmid) => power(vmid, "shutdown")))).toEqual(vmids.map(() => "OK"));
  });
});
