import { join } from "node:path";
import { Scope, systemClock } from "@berth/base";
import { defaultSize, listNodes } from "@berth/protocol";
import { ProxmoxClient } from "@berth/proxmox";
import { MemoryBackend, type RunningEmulator, startEmulator, subnetOf } from "@berth/pve-emulator";
import { eventually, temporaryDirectory } from "@berth/testkit";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Placer } from "../src/cluster/placer.ts";
import { clusterRoutes } from "../src/cluster/routes.ts";
import { loadFleetKeys } from "../src/fleet/keys.ts";
import { TemplateFinder } from "../src/templates/finder.ts";
import { Templates } from "../src/templates/repository.ts";
import { type TestServer, testServer, testStore } from "./http.fixture.ts";
import { accessTo } from "./sweep/world/controller.ts";

const gib = 1024 ** 3;

describe("GET /nodes", () => {
  const scope = new Scope();
  let server: TestServer;
  let emulator: RunningEmulator;

  beforeAll(async () => {
    const folder = await temporaryDirectory();
    scope.add(folder.dispose);
    const dataDir = join(folder.path, "proxmox");
    const clock = systemClock;
    const boot = async () => ({ kill: () => {} });
    emulator = await startEmulator({
      dataDir,
      cluster: {
        nodes: [{ name: "pve1", cores: 8, memoryBytes: 16 * gib }, { name: "pve2" }],
        storages: [
          { storage: "local-zfs", type: "zfspool", nodes: ["pve1"], totalBytes: 100 * gib },
          { storage: "ceph", type: "rbd", shared: true, totalBytes: 500 * gib },
        ],
        templates: [{ vmid: 150, node: "pve1", storage: "local-zfs" }],
      },
      backend: ({ tokenSecret }) =>
        new MemoryBackend({ clock, tokenSecret, subnet: subnetOf(dataDir), sshPort: 2222, sshUser: "root", boot }),
    });
    scope.own(emulator);
    const client = scope.own(new ProxmoxClient(accessTo(emulator)));
    const store = await testStore(scope);
    const { db } = store;
    const placer = new Placer({ db, client, clock, memoryOvercommit: 4 });
    const keys = await loadFleetKeys(folder.path);
    const finder = new TemplateFinder({ client, keys, templates: new Templates(db), vmids: [150], clock });
    const size = { ...defaultSize, memoryMiB: 8192 };
    server = await testServer(scope, {
      store,
      routes: [(api) => clusterRoutes(api, { placer, finder, size, storage: undefined })],
    });
    await db
      .insertInto("sandboxes")
      .values({
        ...{
          id: "sbx_00000000000000000001",
          owner_id: server.user.id,
          name: "web",
          state: "ready",
          desired: "running",
        },
        ...{ cores: 2, memory_mib: 2048, disk_gib: 8, workspace: "{}", env: "{}", vmid: 201, node: "pve1" },
      })
      .execute();
  });
  afterAll(() => scope.dispose());

  it("tells of each host its state, memory, storages, template and sandboxes", async () => {
    await emulator.control.befall({ node: "pve2", maintenance: true });
    await emulator.control.befall({ node: "pve1", filled: { storage: "local-zfs", bytes: 38 * gib } });
    const headers = { authorization: `Bearer ${server.token}` };
    const response = await server.server.inject({ url: "/api/v1/nodes", headers });
    const page: unknown = response.json();
    if (!Value.Check(listNodes.result, page)) throw new Error(response.body);
    const ceph = { name: "ceph", type: "rbd", shared: true, totalBytes: 500 * gib, freeBytes: 500 * gib };
    expect(page.items).toMatchObject([
      {
        ...{ name: "pve1", online: true, maintenance: false, cores: 8, sandboxes: 1, avoided: null },
        ...{ memoryBytes: 16 * gib, memoryUsedBytes: 0, memoryPromisedBytes: 2 * gib },
        storages: [
          { name: "local-zfs", type: "zfspool", shared: false, totalBytes: 100 * gib, freeBytes: 60 * gib },
          ceph,
        ],
        templates: [{ vmid: 150, version: null }],
      },
      {
        ...{ name: "pve2", online: true, maintenance: true, storages: [ceph], templates: [], sandboxes: 0 },
        avoided: { kind: "maintenance", reason: "it is in maintenance" },
      },
    ]);
  });

  it("says with the numbers why a host takes no sandbox of the usual size", async () => {
    await emulator.control.befall({ node: "pve1", ownMemoryBytes: 9 * gib });
    await emulator.control.befall({ node: "pve1", filled: { storage: "local-zfs", bytes: 100 * gib } });
    await emulator.control.befall({ node: "pve2", maintenance: false, online: false });
    const avoided = await eventually(
      async () => {
        const headers = { authorization: `Bearer ${server.token}` };
        const { items } = Value.Parse(
          listNodes.result,
          (await server.server.inject({ url: "/api/v1/nodes", headers })).json(),
        );
        return items[1]?.online ? undefined : items.map((node) => node.avoided);
      },
      { what: "the hosts as they are now" },
    );
    expect(avoided).toEqual([
      { kind: "storage", reason: "local-zfs has 0 of 100 GiB free and 1 GiB are needed" },
      { kind: "offline", reason: "it is offline" },
    ]);
  });
});
