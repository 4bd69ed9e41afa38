import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Scope } from "@berth/base";
import {
  adoptOrphan,
  BerthError,
  buildTemplate,
  createSnapshot,
  type DiskOperationKind,
  deleteSandbox,
  deleteSnapshot,
  forkSandbox,
  getPool,
  getTemplate,
  listOrphans,
  type Operation,
  type Pool,
  type PowerOperationKind,
  restartSandbox,
  rollbackSnapshot,
  sleepSandbox,
  startSandbox,
  stopSandbox,
  updatePool,
  updateSandbox,
  wakeSandbox,
} from "@berth/protocol";
import { ProxmoxClient } from "@berth/proxmox";
import type { FaultRule, PctCommand } from "@berth/pve-emulator";
import { type Berth, eventually, testDatabase } from "@berth/testkit";
import { expect } from "vitest";
import { presentOperation } from "../../../src/operations/record.ts";
import { connect, type Store } from "../../../src/store/connect.ts";
import { startBerth } from "../../e2e/berth.ts";
import { ProxmoxControl } from "../../proxmox-control.ts";
import { type Facts, gatherFacts } from "../facts.ts";
import { type FaultyWorld, isOwned, keptSnapshot } from "../flows.ts";
import { poolOperation, sandboxesBegun } from "../pool-operation.ts";
import { templateVmid } from "../world/places.ts";

/** Longest that anything may take, in milliseconds. */
const limitMs = 240_000;

const wishes = {
  start: startSandbox,
  stop: stopSandbox,
  restart: restartSandbox,
  sleep: sleepSandbox,
  wake: wakeSandbox,
  destroy: deleteSandbox,
} as const;

/** A world of processes: the built controller, PostgreSQL, and the emulator with its containers. */
export class WholeWorld implements FaultyWorld {
  readonly berth: Berth;
  readonly client: ProxmoxClient;
  readonly proxmox: ProxmoxControl;
  readonly #store: Store;
  readonly #scope: Scope;

  private constructor(berth: Berth, proxmox: ProxmoxControl, client: ProxmoxClient, store: Store, scope: Scope) {
    this.berth = berth;
    this.proxmox = proxmox;
    this.client = client;
    this.#store = store;
    this.#scope = scope;
  }

  static async open(backend: string): Promise<WholeWorld> {
    const scope = new Scope();
    try {
      const database = await testDatabase();
      scope.add(() => database.dispose());
      const berth = await startBerth({ env: { DATABASE_URL: database.url, BERTH_BACKEND: backend } });
      scope.add(() => berth.dispose());
      const store = await connect({ url: database.url, maxConnections: 4 });
      scope.add(() => store.close());
      const proxmox = await ProxmoxControl.open(join(berth.dataDir, "proxmox"));
      const client = new ProxmoxClient({
        urls: [proxmox.facts.url],
        // Not the controller, so that its calls can be told apart.
        credentials: { kind: "password", user: "root@pam", password: proxmox.facts.rootPassword },
        trust: { kind: "fingerprint", fingerprints: [proxmox.facts.fingerprint] },
      });
      scope.own(client);
      return new WholeWorld(berth, proxmox, client, store, scope);
    } catch (error) {
      await scope.dispose();
      throw error;
    }
  }

  get faults() {
    return {
      add: async (rule: FaultRule) => void (await this.proxmox.addFault(rule)),
      clear: () => this.proxmox.clearFaults(),
    };
  }

  pct(command: PctCommand): Promise<void> {
    return this.proxmox.pct(command);
  }

  async create(): Promise<Operation> {
    return (await this.berth.create()).operation;
  }

  async want(kind: PowerOperationKind): Promise<Operation> {
    return (await this.berth.client.call(wishes[kind], { params: { id: await this.#id(false) } })).operation;
  }

  async wantOfCopy(kind: PowerOperationKind): Promise<Operation> {
    return (await this.berth.client.call(wishes[kind], { params: { id: await this.#id(true) } })).operation;
  }

  async wantOfDisk(kind: DiskOperationKind): Promise<Operation> {
    const { client } = this.berth;
    const id = await this.#id(false);
    const params = { id, name: keptSnapshot };
    if (kind === "snapshot")
      return (await client.call(createSnapshot, { params: { id }, body: { name: keptSnapshot } })).operation;
    const route = kind === "rollback" ? rollbackSnapshot : deleteSnapshot;
    return (await this.#answered(() => client.call(route, { params }))).operation;
  }

  async fork(): Promise<Operation> {
    return (await this.berth.client.call(forkSandbox, { params: { id: await this.#id(false) }, body: {} })).operation;
  }

  async orphan(): Promise<void> {
    const id = await this.#id(false);
    const { db } = this.#store;
    await this.restart(async () => {
      await db.deleteFrom("claims").where("sandbox_id", "=", id).execute();
      await db.deleteFrom("sandboxes").where("id", "=", id).execute();
    });
  }

  async adopt(): Promise<Operation> {
    const { client } = this.berth;
    const listed = async () => (await this.#answered(() => client.call(listOrphans, { query: {} }))).items[0];
    const { vmid } = await this.until("the orphan is found", listed);
    return (await this.#answered(() => client.call(adoptOrphan, { params: { vmid } }))).operation;
  }

  /** Whoever is told that Proxmox could not be asked, or sees nothing there, asks again. */
  #answered<T>(ask: () => Promise<T>): Promise<T> {
    const refusals: readonly unknown[] = ["proxmox_unavailable", "not_found", "conflict"];
    return this.until("an answer", () =>
      ask().catch((error: unknown) => {
        if (error instanceof BerthError && refusals.includes(error.code)) return undefined;
        throw error;
      }),
    );
  }

  async change(): Promise<Operation> {
    const id = await this.#id(false);
    const { cores, disk_gib } = (await this.facts()).sandboxes.find((row) => row.id === id) ?? {};
    const body = { cores: cores === 2 ? 3 : 2, diskGiB: (disk_gib ?? 0) + 1 };
    const { operationId } = await this.berth.client.call(updateSandbox, { params: { id }, body });
    return this.operation(operationId ?? "none");
  }

  async buildTemplate(): Promise<Operation> {
    return (await this.berth.client.call(buildTemplate, { body: {} })).operation;
  }

  async forgetTemplates(): Promise<void> {
    for (const { vmid } of (await this.facts()).built) await this.pct({ command: "destroy", vmid });
    await this.#store.db.deleteFrom("templates").execute();
    // What was read of them a moment ago is believed for a while.
    await this.until("the first template", async () => {
      const { vmid } = await this.berth.client.call(getTemplate, {});
      return vmid === templateVmid || undefined;
    });
  }

  async keepPool(size: 0 | 1): Promise<void> {
    const { ready } = await this.#resize(size);
    if (ready === size && (await this.#pooled()).length === size) return;
    await this.until(`a warm pool of ${size}`, async () => {
      const pool = await this.berth.client.call(getPool, {});
      return pool.ready === size && (await this.#pooled()).length === size ? true : undefined;
    });
  }

  async refill(): Promise<Operation> {
    await this.#resize(1);
    return this.until("a refill", async () => {
      const [newest] = await this.#pooled();
      return newest && poolOperation(this.#store.db, newest.id);
    });
  }

  async take(): Promise<Operation> {
    const [member] = await this.#pooled();
    const { operation } = await this.berth.create({ cores: 3 });
    await this.#resize(0);
    expect(operation.sandboxId).toBe(member?.id);
    return operation;
  }

  sandboxesBegun(): Promise<number> {
    return sandboxesBegun(this.#store.db);
  }

  #resize(size: number): Promise<Pool> {
    return this.berth.client.call(updatePool, { body: { size } });
  }

  /** What is in the warm pool, the newest first. */
  async #pooled() {
    const rows = (await this.facts()).sandboxes.filter((row) => !isOwned(row));
    return rows.toSorted((a, b) => b.created_at.getTime() - a.created_at.getTime());
  }

  async #id(ofCopy: boolean): Promise<string> {
    const { sandboxes } = await this.facts();
    const found = sandboxes.filter(isOwned).find(({ source }) => (source !== null) === ofCopy);
    if (!found) throw new Error(`there is no ${ofCopy ? "copy" : "sandbox"}`);
    return found.id;
  }

  /** Read from the database, since there may be no controller to ask. */
  async operation(id: string): Promise<Operation> {
    const { db } = this.#store;
    return presentOperation(
      await db.selectFrom("operations").selectAll().where("id", "=", id).executeTakeFirstOrThrow(),
    );
  }

  /** The last operation that was wished for. */
  async lastOperation(): Promise<Operation | undefined> {
    const operations = this.#store.db.selectFrom("operations").selectAll().orderBy("created_at", "desc").limit(1);
    const row = await operations.executeTakeFirst();
    return row && presentOperation(row);
  }

  facts(): Promise<Facts> {
    const { client } = this;
    const proxmoxDir = join(this.berth.dataDir, "proxmox");
    return gatherFacts({ db: this.#store.db, client, proxmoxDir, during: (work) => work() });
  }

  async until<T>(what: string, check: () => Promise<T | undefined>): Promise<T> {
    const found = await eventually(
      async () => {
        const value = await check();
        return value === undefined ? undefined : { value };
      },
      { timeoutMs: limitMs, intervalMs: 10, what },
    );
    return found.value;
  }

  sleep(ms: number): Promise<void> {
    return wait(ms);
  }

  /** What is in a container is looked at by the tests of the agent. */
  expectIntact(): void {}

  /** Kills the controller and starts another one in its place. */
  async restart(afterDeath: () => Promise<void> = async () => {}): Promise<void> {
    await this.berth.crash();
    await afterDeath();
    await this.berth.start();
  }

  close(): Promise<void> {
    return this.#scope.dispose();
  }
}
