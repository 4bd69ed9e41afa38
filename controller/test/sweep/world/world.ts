import "./small-limits.ts";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Scope } from "@berth/base";
import type { createSandbox, DiskOperationKind, Operation, PowerOperationKind, RouteInput } from "@berth/protocol";
import { ProxmoxClient } from "@berth/proxmox";
import {
  type ClusterOptions,
  type FaultRule,
  MemoryBackend,
  type PctCommand,
  type RunningEmulator,
  startEmulator,
  subnetOf,
} from "@berth/pve-emulator";
import { expect } from "vitest";
import { adopt } from "../../../src/adoption/adopt.ts";
import { type FleetKeys, loadFleetKeys } from "../../../src/fleet/keys.ts";
import { presentOperation } from "../../../src/operations/record.ts";
import { changeSandbox } from "../../../src/sandboxes/changes.ts";
import { fork } from "../../../src/snapshots/fork.ts";
import { lookAtSnapshots } from "../../../src/snapshots/look.ts";
import { wantDiskWork } from "../../../src/snapshots/service.ts";
import type { Store } from "../../../src/store/connect.ts";
import { inTransaction } from "../../../src/store/transaction.ts";
import { type Facts, gatherFacts } from "../facts.ts";
import { type FaultyWorld, isOwned, keptSnapshot } from "../flows.ts";
import { expectOneIdentity } from "../invariants.ts";
import { poolOperation, sandboxesBegun } from "../pool-operation.ts";
import { accessTo, type SweepController, startController } from "./controller.ts";
import { type Ingredients, makeIngredients } from "./debian.ts";
import { bootGuest, type GuestMishaps, guestSsh } from "./guest.ts";
import type { Point } from "./lifeline.ts";
import { templateVmid } from "./places.ts";
import { QuietClock } from "./quiet-clock.ts";
import { openStore, ownerId } from "./store.ts";

/**
 * Longest that anything may take, in milliseconds of the world's clock and of the machine's. It is the clock that judges:
 * on a starved machine an hour of it, with all that is looked at in an hour, takes a hundred seconds and more.
 */
const limits = { clockMs: 4 * 3_600_000, realMs: 240_000 } as const;
/** Between two looks at what is waited for: the longer it takes, the longer, within these. */
const pollMs = { first: 100, last: 10_000 } as const;

/**
 * A controller, its database, and a Proxmox with its containers, all in this process and on a clock of their own. What
 * they say to each other goes over real connections; PostgreSQL is real.
 */
export class World implements FaultyWorld {
  readonly clock = new QuietClock();
  readonly guestMishaps: GuestMishaps = { away: false, usedBy: () => [], cutsBootstraps: false };
  readonly #cluster: ClusterOptions | undefined;
  readonly #scope = new Scope();
  #folder = "";
  #databaseUrl = "";
  #store: Store | undefined;
  #keys: FleetKeys | undefined;
  #emulator: RunningEmulator | undefined;
  #backend: MemoryBackend | undefined;
  #client: ProxmoxClient | undefined;
  #controller: SweepController | undefined;
  #agentPort = 0;
  /** The next controller builds templates, too. */
  #builds = false;
  #ingredients: Ingredients | undefined;
  /** What hears of every point that the controller passes; answers whether it is to die there. */
  onPoint: (point: Point) => boolean = () => false;

  private constructor(cluster: ClusterOptions | undefined) {
    this.#cluster = cluster;
  }

  /** On one host, or on a cluster that is described. */
  static async open(cluster?: ClusterOptions): Promise<World> {
    const world = new World(cluster);
    try {
      await world.#start();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  get #proxmoxDir(): string {
    return join(this.#folder, "proxmox");
  }

  get store(): Store {
    return present(this.#store);
  }

  get controller(): SweepController {
    return present(this.#controller);
  }

  get emulator(): RunningEmulator {
    return present(this.#emulator);
  }

  get keys(): FleetKeys {
    return present(this.#keys);
  }

  /** Asks the world's Proxmox, as the controller's token, for the test. */
  get client(): ProxmoxClient {
    return present(this.#client);
  }

  /** Kills the controller and starts another one in its place. */
  async restart(): Promise<void> {
    await this.#controller?.kill();
    await this.#startController();
  }

  /** Everything there is, to be compared with what there should be. */
  facts(): Promise<Facts> {
    const { store, client, clock } = this;
    return gatherFacts({
      db: store.db,
      client,
      proxmoxDir: this.#proxmoxDir,
      during: (work) => clock.during(work),
    });
  }

  get faults() {
    const { faults } = this.emulator.control;
    return {
      add: async (rule: FaultRule) => void faults.add(rule),
      clear: async () => faults.clear(),
    };
  }

  pct(command: PctCommand): Promise<void> {
    return this.emulator.control.pct(command);
  }

  sleep(ms: number): Promise<void> {
    return this.clock.sleep(ms);
  }

  /** Asserts that the disks are those of the containers, and their contents what the database knows. */
  expectIntact(facts: Facts): void {
    const { disks } = present(this.#backend);
    const others = disks.vmids().filter((vmid) => vmid !== templateVmid);
    expect(new Set(others)).toEqual(new Set([...facts.containers, ...facts.built].map(({ vmid }) => vmid)));
    expectOneIdentity(facts, (vmid) => disks.root(vmid));
  }

  /** Asks the controller for a new sandbox. */
  create(body: Partial<RouteInput<typeof createSandbox>["body"]> = {}): Promise<Operation> {
    return this.#wish(async (work) => {
      const wanted = { cores: 2, diskGiB: 4, ...body };
      const { operation } = await this.controller.fleet.service.create(work, ownerId, wanted);
      return operation;
    });
  }

  /** Asks the controller something about the one sandbox. */
  want(kind: PowerOperationKind): Promise<Operation> {
    return this.#wish(async (work) => this.controller.fleet.service.want(work, await this.#present(), kind));
  }

  /** The same of its copy. */
  wantOfCopy(kind: PowerOperationKind): Promise<Operation> {
    return this.#wish(async (work) => this.controller.fleet.service.want(work, present(await this.copy()), kind));
  }

  async wantOfDisk(kind: DiskOperationKind): Promise<Operation> {
    const { fleet, database, client, lifeline } = this.controller;
    const row = await this.#present();
    // Whoever is told that Proxmox could not be asked asks again.
    const ask = () => lookAtSnapshots(database.db, client, row).catch(() => lifeline.hold());
    const look =
      kind === "snapshot"
        ? undefined
        : await this.until("its snapshots are seen", async () => (await ask()) || undefined);
    return this.#wish(async (work) =>
      wantDiskWork(work, fleet, await this.#present(), { kind, name: keptSnapshot }, look),
    );
  }

  fork(): Promise<Operation> {
    const { fleet } = this.controller;
    const now = () => this.clock.now();
    const events = { append: async () => {} };
    return this.#wish(
      async (work) => (await fork(work, { ...fleet, events, now }, await this.#present(), {})).operation,
    );
  }

  async orphan(): Promise<void> {
    const { id } = await this.#present();
    await this.#controller?.kill();
    await this.clock.during(async () => {
      await this.store.db.deleteFrom("claims").where("sandbox_id", "=", id).execute();
      await this.store.db.deleteFrom("sandboxes").where("id", "=", id).execute();
    });
    await this.#startController();
  }

  async adopt(): Promise<Operation> {
    const { fleet } = this.controller;
    // Whoever is told that Proxmox could not be asked asks again.
    const found = await this.until("the orphan is found", async () => (await fleet.orphans.find().catch(() => []))[0]);
    return this.#wish(async (work) => (await adopt(work, { ...fleet, clock: this.clock }, found, ownerId)).operation);
  }

  change(): Promise<Operation> {
    const { fleet } = this.controller;
    return this.#wish(async (work) => {
      const row = await this.#present();
      const { operationId } = await changeSandbox(work, fleet, row, {
        cores: row.cores === 2 ? 3 : 2,
        diskGiB: row.disk_gib + 1,
      });
      return presentOperation(present(await fleet.journal.current(row.id, work.trx), operationId ?? "none"));
    });
  }

  async buildTemplate(): Promise<Operation> {
    if (!this.#builds) this.controller.templates.start();
    this.#builds = true;
    return this.#wish((work) => this.controller.templates.service.build(work, ownerId, {}));
  }

  async forgetTemplates(): Promise<void> {
    const { built } = await this.facts();
    for (const { vmid } of built) await this.pct({ command: "destroy", vmid });
    await this.clock.during(() => this.store.db.deleteFrom("templates").execute());
    this.controller.templates.finder.forget();
    // So that each build has to get it.
    await present(this.#ingredients).forgetDownload(this.#proxmoxDir);
  }

  async keepPool(size: 0 | 1): Promise<void> {
    await this.#resize(size);
    const isSo = async () => {
      const { ready } = await this.controller.fleet.warmPool.status();
      return ready === size && (await this.#pooled()).length === size;
    };
    await this.until(`a warm pool of ${size}`, async () => {
      // Time passes once nothing happens any more: a member that was just being made is there by then.
      return ((await isSo()) && (await this.clock.sleep(1_000).then(isSo))) || undefined;
    });
  }

  async refill(): Promise<Operation> {
    await this.#resize(1);
    return this.until("a refill", async () => {
      const [newest] = await this.#pooled();
      return newest && (await poolOperation(this.store.db, newest.id, (work) => this.clock.during(work)));
    });
  }

  async take(): Promise<Operation> {
    const [member] = await this.#pooled();
    const { service, warmPool } = this.controller.fleet;
    const operation = await this.#wish(async (work) => {
      await warmPool.resize(work, 0);
      return (await service.create(work, ownerId, { cores: 3 })).operation;
    });
    expect(operation.sandboxId).toBe(member?.id);
    return operation;
  }

  sandboxesBegun(): Promise<number> {
    return sandboxesBegun(this.store.db, (work) => this.clock.during(work));
  }

  #resize(size: number): Promise<void> {
    const { database, fleet } = this.controller;
    return inTransaction(database.db, (work) => fleet.warmPool.resize(work, size));
  }

  /** What is in the warm pool, the newest first. */
  async #pooled() {
    const rows = (await this.#rows()).filter((row) => !isOwned(row));
    return rows.toSorted((a, b) => b.created_at.getTime() - a.created_at.getTime());
  }

  /** The one sandbox, if there is one. */
  async sandbox() {
    const rows = await this.#rows();
    return rows.find((row) => row.source === null && isOwned(row));
  }

  /** The copy of it, if there is one. */
  async copy() {
    const rows = await this.#rows();
    return rows.find(({ source }) => source !== null);
  }

  async #rows() {
    const rows = await this.clock.during(() => this.store.db.selectFrom("sandboxes").selectAll().execute());
    if (rows.length > 2) throw new Error(`${rows.length} sandboxes where two are enough`);
    return rows;
  }

  async #present() {
    return present(await this.sandbox(), "there is no sandbox");
  }

  async operation(id: string): Promise<Operation> {
    const row = await this.clock.during(() =>
      this.store.db.selectFrom("operations").selectAll().where("id", "=", id).executeTakeFirstOrThrow(),
    );
    return presentOperation(row);
  }

  /** The last operation that was wished for. */
  async lastOperation(): Promise<Operation | undefined> {
    const row = await this.clock.during(() =>
      this.store.db.selectFrom("operations").selectAll().orderBy("created_at", "desc").limit(1).executeTakeFirst(),
    );
    return row && presentOperation(row);
  }

  /** Repeats a check, by the world's clock, until it answers something; throws when that takes too long. */
  async until<T>(what: string, check: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const begunAt = this.clock.now();
    const realEnd = performance.now() + limits.realMs;
    for (;;) {
      const answer = await check();
      if (answer !== undefined) return answer;
      const waitedMs = this.clock.now() - begunAt;
      if (waitedMs > limits.clockMs) throw new Error(`${what}: not within ${limits.clockMs / 60_000} minutes`);
      if (performance.now() > realEnd) throw new Error(`${what}: not within ${limits.realMs} real milliseconds`);
      await this.clock.sleep(Math.min(pollMs.last, Math.max(pollMs.first, waitedMs / 20)));
    }
  }

  async close(): Promise<void> {
    await this.#controller?.kill();
    await this.#scope.dispose().finally(() => this.clock.stop());
  }

  async #wish(
    wish: (work: Parameters<Parameters<typeof inTransaction>[1]>[0]) => Promise<Operation>,
  ): Promise<Operation> {
    const { db } = this.controller.database;
    return inTransaction(db, wish);
  }

  async #start(): Promise<void> {
    const { clock } = this;
    // Where files cost nothing, if there is such a place.
    this.#folder = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "berth-sweep-"));
    this.#scope.add(() => rm(this.#folder, { recursive: true, force: true }));
    const { url, store } = await openStore(this.#scope);
    this.#databaseUrl = url;
    this.#store = store;
    this.#keys = await loadFleetKeys(this.#folder);
    const dataDir = this.#proxmoxDir;
    const ingredients = await makeIngredients(this.#folder);
    this.#ingredients = ingredients;
    const ssh = { sshPort: guestSsh.port, sshUser: guestSsh.user };
    this.#emulator = await startEmulator({
      dataDir,
      clock,
      cluster: this.#cluster,
      baseArchive: async () => ingredients.archive,
      backend: ({ tokenSecret }) => {
        const boot = (guest: Parameters<typeof bootGuest>[0]) => bootGuest(guest, clock, this.guestMishaps);
        this.#backend = new MemoryBackend({ clock, tokenSecret, subnet: subnetOf(dataDir), ...ssh, boot });
        return this.#backend;
      },
    });
    this.#scope.own(this.#emulator);
    this.#client = this.#scope.own(clientOf(this.#emulator, clock));
    await this.#startController();
  }

  async #startController(): Promise<void> {
    const place = {
      databaseUrl: this.#databaseUrl,
      emulator: this.emulator,
      clock: this.clock,
      keys: this.keys,
      agentPort: this.#agentPort,
      contents: present(this.#ingredients).contents,
    };
    this.#controller = await startController(place, (point) => this.onPoint(point));
    this.#agentPort = this.#controller.agentPort;
    if (this.#builds) this.#controller.templates.start();
  }
}

function clientOf(emulator: RunningEmulator, clock: QuietClock): ProxmoxClient {
  return new ProxmoxClient({ ...accessTo(emulator), clock });
}

function present<T>(part: T | undefined, otherwise = "the world is not open"): T {
  if (part === undefined) throw new Error(otherwise);
  return part;
}
