import { Scope } from "@berth/base";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ProxmoxClient } from "../src/index.ts";
import { answer, clientFor, failureOf, type Identity, makeIdentity, ScriptedServer } from "./scripted-server.ts";

const UPID = "UPID:pve1:000A1B2C:0012D687:65A1B2C3:vzstart:301:berth@pve!ctl:";
const CT = { node: "pve1", vmid: 301 };

let identity: Identity;
let scope: Scope;
beforeAll(async () => {
  identity = await makeIdentity();
});
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

/** A client of a server that always answers the same data. */
async function answering(data: unknown) {
  const server = await ScriptedServer.start(scope, identity, (_request, response) => answer(response, data));
  return { server, client: clientFor(scope, identity, server.url) };
}

describe("calls go where PVE expects them", () => {
  const calls: [string, (client: ProxmoxClient) => Promise<unknown>, string, string][] = [
    [
      "clone",
      ({ containers }) =>
        containers.clone(
          { node: "pve1", vmid: 150 },
          { newId: 301, hostname: "a", full: false, snapshot: "s1", pool: "p" },
        ),
      "POST /nodes/pve1/lxc/150/clone",
      "hostname=a&full=0&pool=p&snapname=s1&newid=301",
    ],
    [
      "create",
      ({ containers }) =>
        containers.create("pve1", {
          vmid: 301,
          osTemplate: "local:vztmpl/debian.tar.zst",
          storage: "local-zfs",
          diskGiB: 8,
          unprivileged: true,
          pool: "p",
          features: "nesting=1",
          net0: "name=eth0,bridge=vmbr0,ip=dhcp",
          sshPublicKeys: ["ssh-ed25519 AAAA a", "ssh-ed25519 BBBB b"],
        }),
      "POST /nodes/pve1/lxc",
      new URLSearchParams({
        unprivileged: "1",
        rootfs: "local-zfs:8",
        pool: "p",
        net0: "name=eth0,bridge=vmbr0,ip=dhcp",
        features: "nesting=1",
        "ssh-public-keys": "ssh-ed25519 AAAA a\nssh-ed25519 BBBB b",
        vmid: "301",
        ostemplate: "local:vztmpl/debian.tar.zst",
      }).toString(),
    ],
    [
      "download a template",
      ({ nodes }) => nodes.downloadTemplate("pve1", { storage: "local", template: "debian.tar.zst" }),
      "POST /nodes/pve1/aplinfo",
      "storage=local&template=debian.tar.zst",
    ],
    ["convert to a template", ({ containers }) => containers.toTemplate(CT), "POST /nodes/pve1/lxc/301/template", ""],
    ["start", ({ containers }) => containers.start(CT), "POST /nodes/pve1/lxc/301/status/start", ""],
    ["stop", ({ containers }) => containers.stop(CT), "POST /nodes/pve1/lxc/301/status/stop", ""],
    [
      "shutdown",
      ({ containers }) => containers.shutdown(CT, { timeoutSeconds: 30, forceStop: true }),
      "POST /nodes/pve1/lxc/301/status/shutdown",
      "timeout=30&forceStop=1",
    ],
    ["reboot", ({ containers }) => containers.reboot(CT), "POST /nodes/pve1/lxc/301/status/reboot", ""],
    [
      "destroy",
      ({ containers }) => containers.destroy(CT, { force: true, purge: true }),
      "DELETE /nodes/pve1/lxc/301?force=1&purge=1",
      "",
    ],
    [
      "resize",
      ({ containers }) => containers.resize(CT, { disk: "rootfs", size: "16G" }),
      "PUT /nodes/pve1/lxc/301/resize",
      "disk=rootfs&size=16G",
    ],
    [
      "snapshot",
      ({ snapshots }) => snapshots.create(CT, { name: "before", description: "x" }),
      "POST /nodes/pve1/lxc/301/snapshot",
      "snapname=before&description=x",
    ],
    [
      "rollback",
      ({ snapshots }) => snapshots.rollback(CT, "before", { start: true }),
      "POST /nodes/pve1/lxc/301/snapshot/before/rollback",
      "start=1",
    ],
    ["remove", ({ snapshots }) => snapshots.remove(CT, "before"), "DELETE /nodes/pve1/lxc/301/snapshot/before", ""],
    ["stop a task", ({ tasks }) => tasks.stop(UPID), `DELETE /nodes/pve1/tasks/${encodeURIComponent(UPID)}`, ""],
  ];

  it.each(calls)("%s", async (_name, invoke, line, body) => {
    const { server, client } = await answering(UPID);
    await invoke(client);
    const [request] = server.requests;
    expect(`${request?.method} ${request?.url.replace("/api2/json", "")}`).toBe(line);
    expect(request?.body).toBe(body);
  });
});

describe("answers are put into our words", () => {
  it("a configuration", async () => {
    const { client } = await answering({
      digest: "abc",
      hostname: "blue",
      description: "berth: signed\n",
      tags: "berth;web",
      cores: 2,
      memory: "2048",
      unprivileged: 1,
      template: 0,
      rootfs: "local-zfs:subvol-301-disk-0,size=8G",
      net0: "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=dhcp,type=veth",
      features: "nesting=1",
    });
    const config = await client.containers.config(CT);
    expect(config).toMatchObject({
      digest: "abc",
      description: "berth: signed",
      tags: ["berth", "web"],
      memoryMiB: 2048,
      unprivileged: true,
      template: false,
      protection: false,
      lock: undefined,
      rootfs: { volume: "local-zfs:subvol-301-disk-0", size: "8G" },
      features: { nesting: "1" },
    });
    expect(config.nets.get(0)).toMatchObject({ bridge: "vmbr0", ip: "dhcp" });
  });

  it("containers of the cluster, and no virtual machines", async () => {
    const { server, client } = await answering([
      { type: "qemu", id: "qemu/100", vmid: 100, node: "pve1", status: "running" },
      { type: "lxc", id: "lxc/150", vmid: 150, node: "pve1", status: "stopped", template: 1, tags: " ", name: "tpl" },
      { type: "lxc", id: "lxc/301", vmid: "301", node: "pve2", status: "unknown" },
    ]);
    expect(await client.cluster.containers()).toMatchObject([
      { vmid: 150, template: true, tags: [], name: "tpl" },
      { vmid: 301, node: "pve2", status: "unknown", template: false, name: undefined },
    ]);
    expect(await client.cluster.places()).toEqual([
      { vmid: 150, node: "pve1", status: "stopped" },
      { vmid: 301, node: "pve2", status: "unknown" },
    ]);
    expect(server.requests.map(({ url }) => url)).toEqual(Array(2).fill("/api2/json/cluster/resources?type=vm"));
  });

  it("addresses, of new servers and of old ones, and none of a stopped container", async () => {
    const listed = await answering([
      {
        name: "eth0",
        hwaddr: "BC:24:11:00:00:01",
        "ip-addresses": [
          { "ip-address": "fe80::1", "ip-address-type": "inet6", prefix: "64" },
          { "ip-address": "10.0.0.7", "ip-address-type": "inet", prefix: 24 },
        ],
      },
    ]);
    expect(await listed.client.containers.addresses(CT)).toEqual([
      { interface: "eth0", mac: "bc:24:11:00:00:01", family: 6, address: "fe80::1", prefixLength: 64 },
      { interface: "eth0", mac: "bc:24:11:00:00:01", family: 4, address: "10.0.0.7", prefixLength: 24 },
    ]);
    const old = await answering([{ name: "lo", inet: "127.0.0.1/8", inet6: "::1/128" }]);
    expect(await old.client.containers.addresses(CT)).toMatchObject([
      { address: "127.0.0.1", family: 4, prefixLength: 8 },
      { address: "::1", family: 6 },
    ]);
    const stopped = await answering(null);
    expect(await stopped.client.containers.addresses(CT)).toEqual([]);
  });

  it("the next id, snapshots, tasks, storages, permissions, nodes and status", async () => {
    expect(await (await answering("302")).client.cluster.nextId()).toBe(302);
    const snapshots = await answering([
      { name: "before", snaptime: 1700000000, description: "x\n" },
      { name: "current", parent: "before", description: "You are here!" },
    ]);
    expect(await snapshots.client.snapshots.list(CT)).toEqual([
      {
        name: "before",
        description: "x",
        parent: undefined,
        takenAtSeconds: 1700000000,
        current: true,
        unfinished: undefined,
      },
    ]);
    const tasks = await answering([
      {
        upid: UPID,
        node: "pve1",
        type: "vzstart",
        id: "301",
        user: "berth@pve",
        tokenid: "ctl",
        starttime: 5,
        endtime: 6,
        status: "OK",
      },
      { upid: UPID, node: "pve1", type: "vzstart", id: "301", user: "berth@pve!ctl", starttime: 5, status: "RUNNING" },
    ]);
    expect(await tasks.client.tasks.list("pve1", { vmid: 301, source: "all" })).toMatchObject([
      { user: "berth@pve!ctl", exitStatus: "OK", endedAtSeconds: 6 },
      { user: "berth@pve!ctl", exitStatus: undefined, endedAtSeconds: undefined },
    ]);
    expect(tasks.server.requests[0]?.url).toBe("/api2/json/nodes/pve1/tasks?vmid=301&source=all");
    const storages = await answering([
      { storage: "local-zfs", type: "zfspool", content: "rootdir,images", active: 1, avail: 5 },
    ]);
    expect(await storages.client.storages.list("pve1", { content: "rootdir" })).toMatchObject([
      { storage: "local-zfs", content: ["rootdir", "images"], active: true, shared: false, availableBytes: 5 },
    ]);
    const archives = await answering([
      { volid: "local:vztmpl/debian.tar.zst", content: "vztmpl", format: "tzst", size: 7, ctime: 1 },
    ]);
    expect(await archives.client.storages.templates("pve1", "local")).toEqual([
      { volume: "local:vztmpl/debian.tar.zst", name: "debian.tar.zst", sizeBytes: 7 },
    ]);
    expect(archives.server.requests[0]?.url).toBe("/api2/json/nodes/pve1/storage/local/content?content=vztmpl");
    const appliances = await answering([
      { template: "debian.tar.zst", package: "debian", version: "12", section: "system", location: "http://x/y" },
    ]);
    expect(await appliances.client.nodes.applianceTemplates("pve1")).toMatchObject([
      { template: "debian.tar.zst", section: "system", os: undefined },
    ]);
    const rights = await answering({ "/vms/150": { "VM.Clone": 1, "VM.Audit": "0" } });
    expect(await rights.client.cluster.permissions("/vms/150")).toEqual({
      "/vms/150": { "VM.Clone": 1, "VM.Audit": 0 },
    });
    const nodes = await answering([
      { node: "pve1", status: "online", maxcpu: 8 },
      { node: "pve2", status: "offline" },
    ]);
    expect(await nodes.client.cluster.nodes()).toMatchObject([{ online: true, cores: 8 }, { online: false }]);
    const status = await answering({ status: "running", uptime: 12, lock: "" });
    expect(await status.client.containers.status(CT)).toMatchObject({
      running: true,
      uptimeSeconds: 12,
      lock: undefined,
    });
  });
});

describe("an answer without what we rely on is a protocol error that names it", () => {
  const lies: [string, unknown, (client: ProxmoxClient) => Promise<unknown>, boolean][] = [
    ["no digest", { hostname: "x" }, ({ containers }) => containers.config(CT), false],
    [
      "a container without a node",
      [{ type: "lxc", vmid: 1, status: "running" }],
      ({ cluster }) => cluster.containers(),
      false,
    ],
    ["no task id", null, ({ containers }) => containers.start(CT), true],
    ["a task without a state", {}, ({ tasks }) => tasks.status(UPID), false],
    [
      "a property string that is none",
      { digest: "a", net0: "bridge" },
      ({ containers }) => containers.config(CT),
      false,
    ],
  ];
  it.each(lies)("%s", async (_name, data, invoke, mayHaveActed) => {
    const { client } = await answering(data);
    expect(await failureOf(invoke(client))).toMatchObject({ kind: "protocol", mayHaveActed });
  });
});
