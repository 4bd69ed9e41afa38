import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type RunningEmulator, startEmulator } from "@berth/pve-emulator";
import { eventually, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CreateOptions, ProxmoxClient, parseApiToken } from "../src/index.ts";
import { failureOf } from "./scripted-server.ts";

let directory: TemporaryDirectory;
let emulator: RunningEmulator;
let client: ProxmoxClient;

beforeEach(async () => {
  directory = await temporaryDirectory();
  const programs = join(directory.path, "programs");
  await mkdir(programs);
  for (const name of ["launch.mjs", "agent.mjs", "pty-host.mjs", "bootstrap.sh", "version"])
    await writeFile(join(programs, name), "");
  emulator = await startEmulator({ dataDir: join(directory.path, "data"), payload: { programs } });
  client = new ProxmoxClient({
    urls: [emulator.url],
    credentials: parseApiToken(emulator.token),
    trust: { kind: "fingerprint", fingerprints: [emulator.fingerprint] },
  });
});

afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await emulator[Symbol.asyncDispose]();
  await directory.dispose();
});

const options = (more: Partial<CreateOptions> = {}): CreateOptions => ({
  vmid: 300,
  osTemplate: "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst",
  storage: emulator.storage,
  diskGiB: 8,
  unprivileged: true,
  hostname: "build",
  description: "signed",
  pool: emulator.pool,
  features: "nesting=1",
  net0: `name=eth0,bridge=${emulator.bridge},ip=dhcp`,
  sshPublicKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8Ht8Z3j6yDWPBHbfTrLXzbqeL9Ypx5yTZl5qLE3jyU a@b"],
  ...more,
});

describe("the calls that build a template, against the emulator", () => {
  it("find what containers can be made from, and get it", async () => {
    const { node } = emulator;
    const [storage, ...others] = await client.storages.list(node, { content: "vztmpl" });
    expect(others).toEqual([]);
    expect(storage).toMatchObject({ storage: "local", content: ["vztmpl", "iso", "backup"], active: true });
    expect(await client.storages.templates(node, "local")).toEqual([]);
    const [appliance] = await client.nodes.applianceTemplates(node);
    expect(appliance).toMatchObject({ os: "debian-12", section: "system", package: "debian-12-standard" });
    const { template = "" } = appliance ?? {};
    const upid = await client.nodes.downloadTemplate(node, { storage: "local", template });
    // The process backend has no use for archives.
    expect((await client.tasks.wait(upid, { pollMs: 10 })).exitStatus).toMatch(/^this Proxmox runs containers as proc/);
    expect(await failureOf(client.nodes.downloadTemplate(node, { storage: emulator.storage, template }))).toMatchObject(
      {
        failure: {
          kind: "forbidden",
          objectPath: `/storage/${emulator.storage}`,
          privileges: ["Datastore.AllocateTemplate"],
        },
      },
    );
  });

  it("create a container, or say why not", async () => {
    const { node } = emulator;
    const lines: string[] = [];
    const upid = await client.containers.create(node, options());
    const result = await client.tasks.wait(upid, { pollMs: 10, onLog: (line) => void lines.push(line) });
    expect(result.ok).toBe(false);
    expect(result.exitStatus).toMatch(/^unable to create CT 300 - containers of processes have no root file system/);
    expect(lines[0]).toMatch(/^extracting archive /);
    expect(await failureOf(client.containers.create(node, options({ vmid: 150 })))).toMatchObject({
      failure: { kind: "exists", vmid: 150 },
    });
    expect(await failureOf(client.containers.create(node, options({ pool: undefined })))).toMatchObject({
      failure: { kind: "forbidden", privileges: [] },
    });
    expect(await failureOf(client.containers.create(node, options({ features: "keyctl=1" })))).toMatchObject({
      failure: { kind: "forbidden", detail: expect.stringContaining("only allowed for root@pam") },
    });
  });

  it("make a template of a container, in a task that is found in the node's list", async () => {
    const { node, pool } = emulator;
    const at = { node, vmid: 300 };
    const clone = await client.containers.clone({ node, vmid: 150 }, { newId: 300, pool });
    expect((await client.tasks.wait(clone, { pollMs: 10 })).ok).toBe(true);
    await client.containers.toTemplate(at);
    const task = await eventually(async () => {
      const [newest] = await client.tasks.list(node, { vmid: 300, type: "vztemplate", source: "all" });
      return newest;
    });
    expect((await client.tasks.wait(task.upid, { pollMs: 10 })).ok).toBe(true);
    expect(await client.containers.config(at)).toMatchObject({ template: true });
  });
});
