import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunningEmulator } from "../src/index.ts";
import { debianAppliance } from "../src/storage/appliance.ts";
import { ApiClient, type ApiParameters, field, startTestEmulator } from "./api-client.ts";

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8Ht8Z3j6yDWPBHbfTrLXzbqeL9Ypx5yTZl5qLE3jyU somebody@somewhere";
const archive = `local:vztmpl/${debianAppliance.template}`;

let directory: TemporaryDirectory;
let emulator: RunningEmulator;
let api: ApiClient;
let root: ApiClient;

beforeEach(async () => {
  directory = await temporaryDirectory();
  emulator = await startTestEmulator(directory.path);
  api = await ApiClient.open(emulator, directory.path);
  root = await api.asRoot();
});

afterEach(async () => {
  await emulator[Symbol.asyncDispose]();
  await directory.dispose();
});

/** The order of a build: all that it sends. */
const order = (more: ApiParameters = {}): ApiParameters => ({
  vmid: 300,
  ostemplate: archive,
  pool: emulator.pool,
  unprivileged: 1,
  features: "nesting=1",
  rootfs: `${emulator.storage}:8`,
  net0: `name=eth0,bridge=${emulator.bridge},ip=dhcp`,
  hostname: "template-build",
  memory: 1024,
  cores: 2,
  description: "signed",
  "ssh-public-keys": publicKey,
  ...more,
});

/** How a creation is answered that differs from the good order in this. */
const answered = async (more: ApiParameters, client = api) => {
  const { status, reason } = await client.call("POST", `${api.node}/lxc`, order(more));
  return `${status} ${reason}`;
};

describe("creating a container from an archive", () => {
  it("is refused with PVE's words, the id first, then the keys, the pool, the rights, the archive and the disk", async () => {
    expect(await answered({ vmid: 150, "ssh-public-keys": "no key" })).toBe("500 CT 150 already exists on node 'pve'");
    expect(await answered({ "ssh-public-keys": `${publicKey}\nno key`, pool: "none" })).toBe(
      "500 SSH public key validation error",
    );
    expect(await answered({ pool: "none" })).toBe("403 Permission check failed (pool 'none' does not exist)");
    const { pool: _pool, ...outside } = order();
    expect((await api.call("POST", `${api.node}/lxc`, outside)).reason).toBe("Permission check failed");
    const nobody = await ApiClient.open(emulator, directory.path, emulator.powerlessToken);
    expect(await answered({}, nobody)).toBe("403 Permission check failed");
    expect(await answered({ ostemplate: "local:iso/debian.iso" })).toBe(
      "500 unable to use volume local:iso/debian.iso - content type needs to be 'vztmpl'",
    );
    expect(await answered({ ostemplate: "nosuch:vztmpl/a.tar.zst" })).toBe("500 storage 'nosuch' does not exist");
    expect(await answered({ ostemplate: "/etc/passwd" })).toBe("500 Only root can pass arbitrary filesystem paths.");
    expect(await answered({ rootfs: "8" })).toBe("500 Only root can pass arbitrary filesystem paths.");
    expect(await answered({ rootfs: "local:8" })).toBe(
      "403 Permission check failed (/storage/local, Datastore.AllocateSpace)",
    );
    expect((await root.call("POST", `${api.node}/lxc`, order({ rootfs: "8" }))).errors).toEqual({
      storage: "storage 'local' does not support container directories",
    });
    expect(await answered({ rootfs: "/tmp" })).toBe(
      "403 Permission check failed (mount point type bind is only allowed for root@pam)",
    );
    expect((await api.call("GET", `${api.node}/lxc/300/config`)).status).toBe(403);
  });

  it("needs a right for every option, on the pool or the container; tags on the container itself", async () => {
    expect(await answered({ features: "nesting=1,keyctl=1" })).toBe(
      "403 Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)",
    );
    expect(await answered({ unprivileged: 0 })).toBe(
      "403 Permission check failed (changing feature flags for privileged container is only allowed for root@pam)",
    );
    expect(await answered({ tags: "berth" })).toBe("403 Permission check failed (/vms/300, VM.Config.Options)");
    expect(await answered({ hookscript: "local:snippets/a" })).toBe(
      "403 Permission check failed (changing the hookscript is only allowed for root@pam)",
    );
    expect(await answered({ net0: "name=eth0,bridge=vmbr0,nonsense=1" })).toMatch(/^400 /);
  });

  it("says what this Proxmox does not do", async () => {
    expect(await answered({ restore: 1 })).toBe(
      "500 this Proxmox makes new containers from archives only: no 'restore'",
    );
    expect(await answered({ mp0: `${emulator.storage}:4,mp=/data` })).toMatch(
      /has no disks but the root disk: no 'mp0'/,
    );
    expect(await answered({ unprivileged: 0 }, root)).toMatch(/^500 this Proxmox runs unprivileged containers only/);
  });

  it("fails in its task where containers have no root file systems, and leaves nothing behind", async () => {
    const upid = String(await api.must("POST", `${api.node}/lxc`, order()));
    expect(upid).toMatch(/^UPID:pve:.*:vzcreate:300:controller@pve!berth:$/);
    const exit = await api.follow(upid);
    expect(exit).toMatch(/^unable to create CT 300 - containers of processes have no root file system/);
    expect((await api.log(upid))[0]).toMatch(/^extracting archive '.*\.tar\.zst'$/);
    expect((await root.call("GET", `${api.node}/lxc/300/config`)).reason).toMatch(/300\.conf' does not exist$/);
    expect(await api.must("GET", "/cluster/nextid", { vmid: 300 })).toBe("300");
    expect(field(await api.must("GET", `/pools/${emulator.pool}`), "members")).toEqual([]);
  });
});

describe("converting a container to a template", () => {
  const template = (vmid: number) => `${api.container(vmid)}/template`;
  const clone = (source: number, newid: number) =>
    api.task("POST", `${api.container(source)}/clone`, { newid, pool: emulator.pool });
  const refusal = async (vmid: number) => (await api.call("POST", template(vmid))).reason;

  it("answers null, and becomes true in a task that anybody finds who looks for it", async () => {
    expect(await clone(150, 300)).toBe("OK");
    expect(await api.must("POST", template(300))).toBeNull();
    const listed = await eventually(async () => {
      const tasks = await api.must("GET", `${api.node}/tasks`, { vmid: 300, typefilter: "vztemplate", source: "all" });
      return Array.isArray(tasks) ? tasks[0] : undefined;
    });
    expect(await api.follow(String(field(listed, "upid")))).toBe("OK");
    const config = await api.must("GET", `${api.container(300)}/config`);
    expect(field(config, "template")).toBe(1);
    expect(field(config, "rootfs")).toMatch(/:300\/base-300-disk-0\.subvol,size=2G$/);
    expect(await clone(300, 301)).toBe("OK");
    expect(field(await api.must("GET", `${api.container(301)}/config`), "template")).toBeUndefined();
  });

  it("is refused of a template, a running container, one with snapshots, and one of somebody else", async () => {
    expect(await refusal(150)).toBe("you can't convert a template to a template");
    await api.sandbox(300);
    expect(await refusal(300)).toBe("you can't convert a CT to template if the CT is running");
    expect(await api.task("POST", `${api.container(300)}/status/stop`)).toBe("OK");
    expect(await api.task("POST", `${api.container(300)}/snapshot`, { snapname: "one" })).toBe("OK");
    expect(await refusal(300)).toBe("unable to create template, because CT contains snapshots");
    expect(await refusal(999)).toBe("Permission check failed (/vms/999, VM.Allocate)");
  });
});

describe("archives for new containers", () => {
  const content = () => `${api.node}/storage/local/content`;

  it("are offered for download, on a storage that takes them, to whoever may", async () => {
    const offered = await api.must("GET", `${api.node}/aplinfo`);
    expect(Array.isArray(offered) && offered.map((one) => field(one, "template"))).toEqual([debianAppliance.template]);
    const download = (storage: string, template = debianAppliance.template, client = api) =>
      client.call("POST", `${api.node}/aplinfo`, { storage, template });
    expect((await download(emulator.storage)).reason).toBe(
      `Permission check failed (/storage/${emulator.storage}, Datastore.AllocateTemplate)`,
    );
    expect((await download("local", "nosuch.tar.zst")).errors).toEqual({ template: "no such template" });
    expect((await download(emulator.storage, debianAppliance.template, root)).reason).toBe(
      `storage '${emulator.storage}' does not support templates`,
    );
    const upid = String((await download("local")).data);
    expect(upid).toContain(`:download:${debianAppliance.template}:`);
    expect(await api.follow(upid)).toMatch(/^this Proxmox runs containers as processes/);
    expect(await api.must("GET", content())).toEqual([]);
  });

  it("are listed with the storage that holds them, and deleted by whoever owns it", async () => {
    const folder = join(directory.path, "local/template/cache");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "own.tar.gz"), "1234567");
    const storages = await api.must("GET", `${api.node}/storage`, { content: "vztmpl" });
    expect(storages).toMatchObject([{ storage: "local", type: "dir", content: "vztmpl,iso,backup", active: 1 }]);
    const volumes = [{ volid: "local:vztmpl/own.tar.gz", content: "vztmpl", format: "tgz", size: 7 }];
    expect(await api.must("GET", content(), { content: "vztmpl" })).toMatchObject(volumes);
    expect(await api.must("GET", content(), { content: "rootdir" })).toEqual([]);
    expect(await api.must("GET", `${content()}/vztmpl/own.tar.gz`)).toMatchObject({ size: 7, format: "tgz" });
    const one = `${content()}/${encodeURIComponent("local:vztmpl/own.tar.gz")}`;
    expect((await api.call("DELETE", one)).reason).toBe("Permission check failed (/storage/local, Datastore.Allocate)");
    expect(await root.task("DELETE", one)).toBe("OK");
    expect(await api.must("GET", content())).toEqual([]);
    expect((await root.call("DELETE", one)).reason).toBe("volume 'local:vztmpl/own.tar.gz' does not exist");
  });
});
