import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { createServer } from "node:tls";
import { Scope, systemClock } from "@berth/base";
import type { DoctorCheck } from "@berth/protocol";
import { MemoryBackend, type RunningEmulator, startEmulator, subnetOf } from "@berth/pve-emulator";
import { temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectProxmox } from "../src/cluster/connection.ts";
import type { AgentAddress } from "../src/doctor/agents.ts";
import { Doctor, type DoctorDependencies } from "../src/doctor/doctor.ts";
import { type FleetKeys, loadFleetKeys } from "../src/fleet/keys.ts";
import type { Store } from "../src/store/connect.ts";
import { ContentsFinder } from "../src/templates/contents.ts";
import { TemplateFinder } from "../src/templates/finder.ts";
import { Templates } from "../src/templates/repository.ts";
import { testStore } from "./http.fixture.ts";

const scope = new Scope();
let store: Store;
let emulator: RunningEmulator;
let keys: FleetKeys;
let dataDir: string;
let listenerPort: number;

beforeAll(async () => {
  store = await testStore(scope);
  const folder = await temporaryDirectory("berth-doctor-");
  scope.add(folder.dispose);
  dataDir = folder.path;
  keys = await loadFleetKeys(dataDir);
  emulator = scope.own(await startMemoryEmulator(`${dataDir}/proxmox`));
  const { certificate: cert, privateKey: key } = keys.listener;
  listenerPort = await listen(createServer({ cert, key }));
});
afterAll(() => scope.dispose());

function startMemoryEmulator(folder: string): Promise<RunningEmulator> {
  return startEmulator({
    dataDir: folder,
    backend: ({ tokenSecret }) =>
      new MemoryBackend({
        ...{ clock: systemClock, tokenSecret, subnet: subnetOf(folder), sshPort: 2222, sshUser: "root" },
        boot: async () => ({ kill: () => {} }),
      }),
  });
}

function listen(server: Server): Promise<number> {
  server.on("connection", (socket) => scope.add(() => void socket.destroy()));
  scope.add(() => new Promise((resolve) => server.close(() => resolve())));
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address: AddressInfo | string | null = server.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    }),
  );
}

interface Differences extends Partial<DoctorDependencies> {
  token?: string;
  urls?: readonly string[];
  fingerprints?: readonly string[];
  agents?: () => AgentAddress;
}

const ownAddress = (): AgentAddress => ({
  ...{ url: undefined, host: "127.0.0.1", port: listenerPort, local: false },
  certificate: keys.listener.certificate,
});

/** What the doctor finds, by the id of the check. */
async function find(differences: Differences = {}): Promise<ReadonlyMap<string, DoctorCheck>> {
  const { token = emulator.token, urls = [emulator.url], fingerprints = [emulator.fingerprint], ...more } = differences;
  const [tokenId = "", tokenSecret = ""] = token.split("=");
  const access = { urls, tokenId, tokenSecret, fingerprints };
  const client = connectProxmox(access, systemClock, () => {});
  const finder = new TemplateFinder({
    client,
    keys,
    templates: new Templates(store.db),
    vmids: [150],
    clock: systemClock,
  });
  const doctor = new Doctor({
    ...{ client, access, clock: systemClock, db: store.db, dataDir, finder, contents: new ContentsFinder() },
    ...{ pool: emulator.pool, storage: emulator.storage, bridge: emulator.bridge, vlan: undefined, diskGiB: 1 },
    ...{ agents: ownAddress, orphans: async () => [], ...more },
  });
  try {
    const { checks } = await doctor.report();
    const byId = new Map(checks.map((check) => [check.id, check]));
    expect(byId.size).toBe(checks.length);
    return byId;
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

const amiss = (found: ReadonlyMap<string, DoctorCheck>) =>
  [...found.values()].filter(({ state }) => state !== "ok").map(({ id }) => id);

async function apply(checks: Iterable<DoctorCheck>): Promise<void> {
  const lines = [...checks].flatMap(({ fix }) => fix?.split("\n") ?? []);
  for (const line of new Set(lines.filter((one) => one.startsWith("pveum ")))) await emulator.control.pveum(line);
}

describe("the doctor", () => {
  it("finds nothing amiss where all is well", async () => {
    const found = await find();
    expect(amiss(found)).toEqual([]);
    expect(found.get(`version:${emulator.url}`)?.detail).toMatch(/^Proxmox VE \d+\.\d/);
    expect([...found.keys()]).toEqual(expect.arrayContaining(["database", "data-dir", "template", "agents:address"]));
    expect([...found.values()].map(({ fix }) => fix)).toEqual([...found.values()].map(() => null));
  });

  it("names lines that give a token without any rights all that it needs, and any one that it lost again", async () => {
    const token = emulator.powerlessToken;
    const before = await find({ token });
    const privileges = [...before.values()].filter(({ id }) => id.startsWith("privilege:"));
    expect(privileges.length).toBeGreaterThan(15);
    expect(privileges.filter(({ state }) => state === "ok")).toEqual([]);
    expect(before.get("template")?.state).toBe("failed");
    expect(before.get(`storage:${emulator.node}`)?.state).toBe("failed");
    await apply(before.values());
    expect(amiss(await find({ token }))).toEqual([]);

    for (const { id, fix } of privileges) {
      const [, path = "", lost = ""] = id.split(":");
      await loseOne(fix ?? "", lost);
      const found = await find({ token });
      const missing = [...found.values()].filter((one) => one.id.startsWith("privilege:") && one.state !== "ok");
      expect(missing.map((one) => one.id)).toContain(id);
      expect(missing.every((one) => one.title.startsWith(lost))).toBe(true);
      expect(found.get(id)?.fix).toContain(path);
      // That it is mended shows with the next one, which alone is missing then.
      await apply(found.values());
    }
    expect(amiss(await find({ token }))).toEqual([]);
  }, 60_000);

  it("goes on with the other addresses when one is dead, and says which", async () => {
    const dead = "https://127.0.0.1:1";
    const found = await find({ urls: [dead, emulator.url] });
    expect(amiss(found)).toEqual([`proxmox:${dead}`, `certificate:${dead}`, `version:${dead}`]);
    expect(found.get(`proxmox:${dead}`)).toMatchObject({ state: "warning" });
    const none = await find({ urls: [dead] });
    expect(none.get(`proxmox:${dead}`)).toMatchObject({ state: "failed" });
    expect(none.get("cluster")).toMatchObject({ state: "unknown" });
    expect(none.get("database")).toMatchObject({ state: "ok" });
  }, 30_000);

  it("shows the fingerprint of a certificate that is not the pinned one", async () => {
    const found = await find({ fingerprints: ["00".repeat(32)] });
    const seen = found.get(`certificate:${emulator.url}`);
    expect(seen).toMatchObject({ state: "failed", fix: expect.stringContaining("PROXMOX_FINGERPRINT=") });
    expect(seen?.fix?.replaceAll(":", "").toLowerCase()).toContain(
      emulator.fingerprint.replaceAll(":", "").toLowerCase(),
    );
  });

  it("says that a bridge or a storage is not there, and which are", async () => {
    const found = await find({ bridge: "vmbr9", storage: "elsewhere" });
    expect(found.get(`bridge:${emulator.node}`)).toMatchObject({
      state: "failed",
      detail: expect.stringContaining(emulator.bridge),
    });
    expect(found.get(`storage:${emulator.node}`)).toMatchObject({
      state: "failed",
      detail: expect.stringContaining(emulator.storage),
    });
  });

  it("tells an address that leads agents to themselves, to a stranger or to nobody from the listener's own", async () => {
    const stateAt = async (address: Partial<AgentAddress>) => {
      const found = await find({ agents: () => ({ ...ownAddress(), ...address }) });
      return found.get("agents:address")?.state;
    };
    expect(await stateAt({})).toBe("ok");
    expect(await stateAt({ url: new URL(`wss://127.0.0.1:${listenerPort}`) })).toBe("failed");
    expect(await stateAt({ url: new URL(`wss://127.0.0.1:${listenerPort}`), local: true })).toBe("ok");
    expect(await stateAt({ port: 1 })).toBe("failed");
    expect(await stateAt({ port: Number(new URL(emulator.url).port) })).toBe("failed");
    const plain = await listen(createTcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
    expect(await stateAt({ port: plain })).toBe("failed");
  });
});

/** Takes one privilege from the roles that a fix makes. */
async function loseOne(fix: string, lost: string): Promise<void> {
  for (const line of fix.split("\n")) {
    const [, role = "", privileges = ""] = /^pveum role add (\S+) --privs '([^']*)'/.exec(line) ?? [];
    const kept = privileges.split(",").filter((privilege) => privilege !== lost);
    if (role !== "") await emulator.control.pveum(`pveum role modify ${role} --privs '${kept.join(",")}'`);
  }
}
