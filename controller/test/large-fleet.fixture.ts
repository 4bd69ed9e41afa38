import { X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { type Scope, systemClock } from "@berth/base";
import { bundledTemplateKeys } from "@berth/base/node";
import { defaultSize } from "@berth/protocol";
import { normaliseFingerprint, ProxmoxClient } from "@berth/proxmox";
import { type ListedContainer, temporaryDirectory, testDatabase } from "@berth/testkit";
import pino from "pino";
import { FreeIds } from "../src/cluster/free-ids.ts";
import { EventLog } from "../src/events/log.ts";
import { type FleetKeys, loadFleetKeys } from "../src/fleet/keys.ts";
import { describeOwner } from "../src/fleet/ownership.ts";
import type { Limits } from "../src/limits/limits.ts";
import { makeSandboxModule, type SandboxLinks, type SandboxModule } from "../src/sandboxes/module.ts";
import { connect, type Store } from "../src/store/connect.ts";
import { migrate } from "../src/store/migrate.ts";
import { TemplateFinder } from "../src/templates/finder.ts";
import { Templates } from "../src/templates/repository.ts";
import { restoreTerminals } from "../src/terminals/restore.ts";
import { emptyWorkspaces } from "./empty-workspaces.ts";
import { unknownUse } from "./never-asleep.ts";
import { noLimits } from "./no-limits.ts";

/** Whose everything in the fleet is. */
export const fleetOwnerId = "usr_bench";
const node = "pve1";
const firstVmid = 1_000;

/** Agents that are there or away as a test says. */
export class PretendedLinks implements SandboxLinks {
  readonly #away = new Map<string, number>();

  isConnected(sandboxId: string): boolean {
    return !this.#away.has(sandboxId);
  }

  awaySince(sandboxId: string): number {
    return this.#away.get(sandboxId) ?? 0;
  }

  /** The agent went away so long ago. */
  lose(sandboxId: string, agoMs: number): void {
    this.#away.set(sandboxId, Date.now() - agoMs);
  }

  restore(sandboxId: string): void {
    this.#away.delete(sandboxId);
  }

  drop(): void {}
  forget(): void {}
}

/** A fleet whose sandboxes are all settled and ready: rows in a real database, and the containers that belong to them. */
export interface LargeFleet {
  readonly store: Store;
  /** What a controller is to be started with. */
  readonly databaseUrl: string;
  readonly dataDir: string;
  readonly keys: FleetKeys;
  readonly node: string;
  readonly sandboxIds: readonly string[];
  readonly containers: readonly ListedContainer[];
  /** Puts a controller's sandboxes together on a cluster at a port of this machine; nothing runs yet. */
  moduleAt(port: number, limits?: Limits): Promise<{ module: SandboxModule; links: PretendedLinks }>;
}

/**
 * Makes so many sandboxes. The cluster has to show the listener's certificate of the fleet's keys. Each has an address of
 * its own, unless all are to have one: that of this machine, where something is to dial in their place.
 */
export async function makeLargeFleet(scope: Scope, size: number, sharedAddress?: string): Promise<LargeFleet> {
  const folder = await temporaryDirectory("berth-fleet-");
  scope.add(folder.dispose);
  await mkdir(folder.path, { recursive: true });
  const keys = await loadFleetKeys(folder.path);
  const database = await testDatabase();
  scope.add(() => database.dispose());
  const store = await connect({ url: database.url });
  scope.add(() => store.close());
  await migrate(store.db);
  const sandboxIds = Array.from({ length: size }, (_, index) => `sbx_${index.toString(36).padStart(20, "0")}`);
  const containers = sandboxIds.map((id, index) => containerOf(keys, id, index, sharedAddress));
  await insertRows(store, sandboxIds, containers);
  return {
    ...{ store, databaseUrl: database.url, dataDir: folder.path, keys, node, sandboxIds, containers },
    moduleAt: (port, limits = noLimits) => moduleAt(scope, { store, keys, limits }, port),
  };
}

function containerOf(keys: FleetKeys, sandboxId: string, index: number, sharedAddress?: string): ListedContainer {
  const vmid = firstVmid + index;
  const address = sharedAddress ?? `10.77.${Math.floor(index / 250)}.${(index % 250) + 2}`;
  const description = describeOwner(keys, sandboxId, vmid, { name: nameOf(index), owner: "bench" });
  return { vmid, name: nameOf(index), description, status: "running", node, address };
}

function nameOf(index: number): string {
  return `sandbox-${index}`;
}

async function insertRows(store: Store, ids: readonly string[], containers: readonly ListedContainer[]): Promise<void> {
  await store.db.insertInto("users").values({ id: fleetOwnerId, username: "bench", role: "admin" }).execute();
  const rows = ids.map((id, index) => ({
    ...{ id, owner_id: fleetOwnerId, name: nameOf(index), cores: 2, memory_mib: 2048, disk_gib: 8 },
    ...{ workspace: JSON.stringify({ kind: "empty" }), env: "{}", desired: "running" as const, state: "ready" },
    ...{ boot_wanted: 1, boot_done: 1, configured: true, bootstrapped_at: new Date(), node, template_vmid: 150 },
    vmid: containers[index]?.vmid ?? 0,
    address: containers[index]?.address ?? null,
  }));
  for (let at = 0; at < rows.length; at += 500) {
    await store.db
      .insertInto("sandboxes")
      .values(rows.slice(at, at + 500))
      .execute();
  }
}

/** A client of a cluster at a port of this machine, which shows the listener's certificate of these keys. */
export function clientAt(scope: Scope, keys: FleetKeys, port: number): ProxmoxClient {
  const { fingerprint256 } = new X509Certificate(keys.listener.certificate);
  return scope.own(
    new ProxmoxClient({
      urls: [`https://127.0.0.1:${port}`],
      credentials: { kind: "token", id: "berth@pve!t", secret: "00000000-0000-4000-8000-000000000000" },
      trust: { kind: "fingerprint", fingerprints: [normaliseFingerprint(fingerprint256)] },
    }),
  );
}

async function moduleAt(
  scope: Scope,
  { store, keys, limits }: Pick<LargeFleet, "store" | "keys"> & { limits: Limits },
  port: number,
) {
  const client = clientAt(scope, keys, port);
  const events = new EventLog({ db: store.db, pool: store.pool });
  const templates = new Templates(store.db);
  const links = new PretendedLinks();
  const module = makeSandboxModule({
    ...{ db: store.db, events, client, keys, clock: systemClock, registry: links },
    freeIds: new FreeIds(store.db, client),
    template: new TemplateFinder({ client, keys, templates, vmids: [150], clock: systemClock }),
    bootstrapKeys: () => bundledTemplateKeys("unused"),
    log: pino({ level: "silent" }),
    ...{ pool: undefined, storage: undefined, bridge: undefined, vlan: undefined, size: defaultSize, limits },
    memoryOvercommit: 4,
    agentUrl: () => "wss://127.0.0.1:1",
    environment: () => ({}),
    authorizedKeys: () => Promise.resolve([]),
    workspaces: emptyWorkspaces,
    handOver: async () => {},
    poolSize: 0,
    rolledBack: async () => {},
    restoreTerminals: (row, records) => restoreTerminals(events, row, records),
    sleep: unknownUse,
  });
  await events.start();
  scope.add(() => events.stop());
  scope.add(() => module.stop());
  return { module, links };
}
