import { join } from "node:path";
import { Scope, systemClock } from "@berth/base";
import { defaultSize, listNodes } from "@berth/protocol";
import { MemoryBackend, type RunningEmulator, startEmulator, subnetOf } from "@berth/pve-emulator";
import { eventually, temporaryDirectory } from "@berth/testkit";
import type { Static } from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectProxmox } from "../src/cluster/connection.ts";
import { Placer } from "../src/cluster/placer.ts";
import { clusterRoutes } from "../src/cluster/routes.ts";
import { Doctor } from "../src/doctor/doctor.ts";
import { type FleetKeys, loadFleetKeys } from "../src/fleet/keys.ts";
import type { Store } from "../src/store/connect.ts";
import { ContentsFinder } from "../src/templates/contents.ts";
import { TemplateFinder } from "../src/templates/finder.ts";
import { Templates } from "../src/templates/repository.ts";
import { type TestServer, testServer, testStore } from "./http.fixture.ts";

const gib = 1024 ** 3;
type NodePage = Static<typeof listNodes.result>;

describe("GET /nodes", () => {
  const scope = new Scope();
  let server: TestServer;
  let emulator: RunningEmulator;
  let store: Store;
  let keys: FleetKeys;
  let dataDir: string;
  const clock = systemClock;

  beforeAll(async () => {
    const folder = await temporaryDirectory();
    scope.add(folder.dispose);
    dataDir = join(folder.path, "proxmox");
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
    store = await testStore(scope);
    keys = await loadFleetKeys(folder.path);
    server = await serve(emulator.token);
    await store.db
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

  /** A controller with this API token. */
  async function serve(token: string): Promise<TestServer> {
    const { db } = store;
    const [tokenId = "", tokenSecret = ""] = token.split("=");
    const [urls, fingerprints] = [[emulator.url], [emulator.fingerprint]];
    const access = { urls, fingerprints, tokenId, tokenSecret };
    const client = scope.own(connectProxmox(access, clock, () => {}));
    const placer = new Placer({ db, client, clock, memoryOvercommit: 4 });
    const finder = new TemplateFinder({ client, keys, templates: new Templates(db), vmids: [150], clock });
    const { certificate } = keys.listener;
    const doctor = new Doctor({
      ...{ client, access, clock, db, dataDir, finder, contents: new ContentsFinder(), pool: emulator.pool },
      ...{ storage: undefined, bridge: undefined, vlan: undefined, diskGiB: 1, orphans: async () => [] },
      agents: () => ({ url: undefined, host: "127.0.0.1", port: 1, certificate, local: true }),
    });
    const checks = async () => (await doctor.report()).checks;
    const size = { ...defaultSize, memoryMiB: 8192 };
    return testServer(scope, {
      store,
      routes: [(api) => clusterRoutes(api, { placer, finder, size, storage: undefined, checks })],
    });
  }

  async function nodesAt({ server, token }: TestServer, query = ""): Promise<NodePage> {
    const headers = { authorization: `Bearer ${token}` };
    const response = await server.inject({ url: `/api/v1/nodes${query}`, headers });
    const page: unknown = response.json();
    if (!Value.Check(listNodes.result, page)) throw new Error(response.body);
    return page;
  }

  it("tells of each host its state, memory, storages, template and sandboxes", async () => {
    await emulator.control.befall({ node: "pve2", maintenance: true });
    await emulator.control.befall({ node: "pve1", filled: { storage: "local-zfs", bytes: 38 * gib } });
    const page = await nodesAt(server);
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

  it("shows for the token in use each privilege, and the lines that give it those that it lacks", async () => {
    const privilegesOf = async (from: TestServer) =>
      (await nodesAt(from)).checks.filter(({ id }) => id.startsWith("privilege:"));
    expect((await privilegesOf(server)).map(({ state }) => state)).not.toContain("failed");
    const powerless = await serve(emulator.powerlessToken);
    const before = await privilegesOf(powerless);
    expect(before.length).toBeGreaterThan(15);
    for (const { detail } of before) expect(detail).toContain(emulator.powerlessToken.split("=")[0]);
    for (const { state, fix } of before) {
      expect(state).not.toBe("ok");
      expect(fix).toMatch(/^pveum /);
    }
    const others = (await nodesAt(powerless)).checks.map(({ id }) => id.split(":")[0]);
    expect(others).toEqual(expect.arrayContaining(["certificate", "version", "storage", "bridge", "template"]));
    await mendBy(powerless);
    expect((await privilegesOf(powerless)).filter(({ state }) => state !== "ok")).toEqual([]);
    expect((await nodesAt(powerless, "?checks=false")).checks).toEqual([]);
  });

  /** Runs the lines that mend what is amiss, until there are none. */
  async function mendBy(from: TestServer): Promise<void> {
    for (let round = 0; round < 3; round += 1) {
      const fixes = (await nodesAt(from)).checks.flatMap(({ fix }) => fix?.split("\n") ?? []);
      for (const line of new Set(fixes.filter((one) => one.startsWith("pveum ")))) await emulator.control.pveum(line);
    }
  }

  it("says with the numbers why a host takes no sandbox of the usual size", async () => {
    await emulator.control.befall({ node: "pve1", ownMemoryBytes: 9 * gib });
    await emulator.control.befall({ node: "pve1", filled: { storage: "local-zfs", bytes: 100 * gib } });
    await emulator.control.befall({ node: "pve2", maintenance: false, online: false });
    const avoided = await eventually(
      async () => {
        const { items } = await nodesAt(server, "?checks=false");
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
