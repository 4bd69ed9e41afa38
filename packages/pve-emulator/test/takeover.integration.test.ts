import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { identifyProcess } from "@berth/base/node";
import { eventually, processesWithEnvironment, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EnsuredEmulator, ensureEmulator } from "../src/index.ts";
import { ApiClient, field } from "./api-client.ts";
import { SshClient } from "./ssh-client.ts";

const program = fileURLToPath(new URL("./fixtures/emulator-main.ts", import.meta.url));

let directory: TemporaryDirectory;
let emulator: EnsuredEmulator | undefined;

const ensure = async (): Promise<EnsuredEmulator> => {
  emulator = await ensureEmulator({ dataDir: directory.path, backend: "process", isolated: true, program });
  return emulator;
};

/** Kills an emulator as a power cut would, and waits until it is gone. */
const crash = async (victim: EnsuredEmulator): Promise<void> => {
  process.kill(victim.pid, "SIGKILL");
  await eventually(() => identifyProcess(victim.pid) === undefined);
};

beforeEach(async () => {
  directory = await temporaryDirectory();
});

afterEach(async () => {
  await emulator?.stop();
  const root = join(directory.path, "containers", "201", "rootfs");
  expect(await processesWithEnvironment("BERTH_ROOT", root)).toEqual([]);
  await directory.dispose();
});

describe("an emulator of a data folder", () => {
  it("is found again while it runs, instead of a second one being started", async () => {
    const first = await ensure();
    const second = await ensure();
    expect(second.pid).toBe(first.pid);
    expect(second.url).toBe(first.url);
  });

  it("refuses a folder that another one uses", async () => {
    const first = await ensure();
    // Without the file that tells where it is, a starter cannot know; the lock does.
    const facts = await readFile(join(directory.path, "emulator.json"), "utf8");
    await rm(join(directory.path, "emulator.json"));
    await expect(ensure()).rejects.toThrow(new RegExp(`is used by another emulator, process ${first.pid}`));
    await writeFile(join(directory.path, "emulator.json"), facts);
    emulator = await ensure();
  });

  it("takes over running containers, with its identity kept, after it was killed", async () => {
    const first = await ensure();
    const api = await ApiClient.open(first, directory.path);
    await api.sandbox(201);
    const address = await api.address(201);
    const before = await api.must("GET", `${api.container(201)}/status/current`);
    await crash(first);

    const second = await ensure();
    const again = await ApiClient.open(second, directory.path);
    const {
      url: _url,
      nodes: _nodes,
      pid: _pid,
      stop: _stop,
      ended: _ended,
      allowMachinePorts: _allow,
      ...facts
    } = first;
    expect(second).toMatchObject(facts);
    const after = await again.must("GET", `${again.container(201)}/status/current`);
    expect(field(after, "pid")).toBe(field(before, "pid"));
    expect(await again.address(201)).toBe(address);
    const ssh = await SshClient.prepare(second, address, join(directory.path, "ssh"));
    expect(await ssh.run("echo alive")).toBe("alive\n");
    expect(await again.task("POST", `${again.container(201)}/status/shutdown`)).toBe("OK");
    expect(await again.task("POST", `${again.container(201)}/status/start`)).toBe("OK");
  });

  it("cleans up a clone in whose midst it was killed, and tells that the task failed", async () => {
    const first = await ensure();
    const api = await ApiClient.open(first, directory.path);
    const order = { newid: 201, pool: first.pool, full: 1, bwlimit: 1000 };
    const upid = String(await api.must("POST", `${api.container(150)}/clone`, order));
    await crash(first);

    const second = await ensure();
    const again = await ApiClient.open(second, directory.path);
    expect(await again.follow(upid)).toBe("unexpected status");
    expect(await again.must("GET", "/cluster/nextid", { vmid: 201 })).toBe("201");
    await again.sandbox(201);
  });

  it("stops its containers when it is stopped, and starts none by itself", async () => {
    const first = await ensure();
    const api = await ApiClient.open(first, directory.path);
    await api.sandbox(201);
    await first.stop();
    const root = join(directory.path, "containers", "201", "rootfs");
    expect(await processesWithEnvironment("BERTH_ROOT", root)).toEqual([]);
    const again = await ApiClient.open(await ensure(), directory.path);
    expect(field(await again.must("GET", `${again.container(201)}/status/current`), "status")).toBe("stopped");
  });

  it("keeps the kind of containers that the folder was made with, and says so to who asks for another", async () => {
    const first = await ensure();
    expect(first.backend).toBe("process");
    await first.stop();
    const starting = ensureEmulator({ dataDir: directory.path, backend: "lxc", isolated: true, program });
    await expect(starting).rejects.toThrow(
      /^the Proxmox emulator did not start: .* was made with the process backend: use that one, or another folder$/,
    );
    emulator = await ensureEmulator({ dataDir: directory.path, backend: "auto", isolated: true, program });
    expect(emulator.backend).toBe("process");
  });

  it("passes on which ports of the machine containers may reach", async () => {
    await (await ensure()).allowMachinePorts([7401], []);
    await expect((await ensure()).allowMachinePorts([0], [])).rejects.toThrow(/400/);
  });
});
