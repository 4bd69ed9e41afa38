import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, processesWithEnvironment, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunningEmulator } from "../src/index.ts";
import { ApiClient, field, startTestEmulator } from "./api-client.ts";
import { SshClient } from "./ssh-client.ts";

let directory: TemporaryDirectory;
let emulator: RunningEmulator;
let api: ApiClient;

const rootOf = (vmid: number) => join(directory.path, "containers", String(vmid), "rootfs");
const processesOf = (vmid: number) => processesWithEnvironment("BERTH_ROOT", rootOf(vmid));
const sshTo = async (vmid: number) =>
  SshClient.prepare(emulator, await api.address(vmid), join(directory.path, `ssh-${vmid}`));

beforeEach(async () => {
  directory = await temporaryDirectory();
  emulator = await startTestEmulator(directory.path);
  api = await ApiClient.open(emulator, directory.path);
});

afterEach(async () => {
  await emulator[Symbol.asyncDispose]();
  expect(await processesOf(201)).toEqual([]);
  await directory.dispose();
});

describe("a container of processes", () => {
  it("is reached by SSH under the pinned bootstrap host key, in an environment of its own", async () => {
    await api.sandbox(201);
    const ssh = await sshTo(201);
    const root = rootOf(201);
    const said = await ssh.run('echo "$BERTH_ROOT|$HOME|$PWD"; command -v node; cat "$BERTH_ROOT/etc/hostname"');
    expect(said).toMatch(new RegExp(`^${root}\\|${join(root, "home")}/[^|]+\\|${join(root, "home")}/`));
    expect(said).toContain(`${root}/usr/bin/node\nsandbox-201\n`);
  });

  it("takes files by scp and rsync", async () => {
    await api.sandbox(201);
    const ssh = await sshTo(201);
    const source = join(directory.path, "source");
    await mkdir(source);
    await writeFile(join(source, "note.txt"), "hello");
    await ssh.copyIn(join(source, "note.txt"), `${rootOf(201)}/workspace/copied.txt`);
    await ssh.sync(source, `${rootOf(201)}/workspace/synced/`);
    expect(await readFile(join(rootOf(201), "workspace/copied.txt"), "utf8")).toBe("hello");
    expect(await readFile(join(rootOf(201), "workspace/synced/note.txt"), "utf8")).toBe("hello");
  });

  it("starts the template's units once the bootstrap subsystem has configured them", async () => {
    await api.sandbox(201);
    const ssh = await sshTo(201);
    expect(existsSync(join(rootOf(201), "run/agent.pid"))).toBe(false);
    const said: unknown = JSON.parse(await ssh.subsystem("berth-bootstrap", '{"a":1}'));
    expect(field(said, "root")).toBe(rootOf(201));
    expect(field(said, "request")).toEqual({ a: 1 });
    const pidOf = async (unit: string) => Number(await readFile(join(rootOf(201), `run/${unit}.pid`), "utf8"));
    const pid = await eventually(async () => (await pidOf("pty-host")) > 0 && (await pidOf("agent")));
    process.kill(pid, "SIGKILL");
    await eventually(async () => ![0, pid].includes(await pidOf("agent")));
  });

  it("has an identity of its own in every clone", async () => {
    await api.sandbox(201);
    await api.sandbox(202);
    const idOf = (vmid: number) => readFile(join(rootOf(vmid), "etc/machine-id"), "utf8");
    expect(await idOf(201)).toMatch(/^[0-9a-f]{32}\n$/);
    expect(await idOf(202)).not.toBe(await idOf(201));
    expect(await api.address(202)).not.toBe(await api.address(201));
    expect(await api.task("DELETE", api.container(202), { force: 1 })).toBe("OK");
  });

  it("is gone with all its processes and files when it is deleted, sessions and strays included", async () => {
    await api.sandbox(201);
    const ssh = await sshTo(201);
    await ssh.run("setsid sleep 300 >/dev/null 2>&1 </dev/null &");
    const open = ssh.run("sleep 300").catch((error: Error) => error.message);
    await eventually(
      async () => (await processesOf(201)).filter(({ command }) => command.includes("sleep")).length >= 2,
    );
    expect(await api.task("DELETE", api.container(201), { force: 1, purge: 1 })).toBe("OK");
    expect(await processesOf(201)).toEqual([]);
    expect(await open).toContain("ssh:");
    expect(await readdir(join(directory.path, "containers"))).toEqual(["150"]);
    expect(await readdir(join(directory.path, "trash")).catch(() => [])).toEqual([]);
  });

  it("reads as stopped, with nothing of it left, when its init is killed", async () => {
    await api.sandbox(201);
    const ssh = await sshTo(201);
    await ssh.run("setsid sleep 300 >/dev/null 2>&1 </dev/null &");
    const status = await api.must("GET", `${api.container(201)}/status/current`);
    process.kill(Number(field(status, "pid")), "SIGKILL");
    await eventually(async () => (await processesOf(201)).length === 0);
    expect(field(await api.must("GET", `${api.container(201)}/status/current`), "status")).toBe("stopped");
    expect(await api.task("POST", `${api.container(201)}/status/start`)).toBe("OK");
  });

  it("comes back by itself, under the same address, after a reboot from the inside", async () => {
    await api.sandbox(201);
    const address = await api.address(201);
    const before = field(await api.must("GET", `${api.container(201)}/status/current`), "pid");
    await (await sshTo(201)).run("reboot").catch(() => {});
    await eventually(async () => {
      const status = await api.must("GET", `${api.container(201)}/status/current`);
      return field(status, "status") === "running" && field(status, "pid") !== before;
    });
    expect(await api.address(201)).toBe(address);
    expect(await (await sshTo(201)).run("echo back")).toBe("back\n");
  });

  it("gets its files back from a snapshot", async () => {
    await api.sandbox(201);
    const note = join(rootOf(201), "workspace/note.txt");
    await writeFile(note, "before");
    expect(await api.task("POST", `${api.container(201)}/snapshot`, { snapname: "early" })).toBe("OK");
    await writeFile(note, "after");
    expect(await api.task("POST", `${api.container(201)}/snapshot/early/rollback`, { start: 1 })).toBe("OK");
    expect(await readFile(note, "utf8")).toBe("before");
    expect(await (await sshTo(201)).run("echo up")).toBe("up\n");
  });
});
