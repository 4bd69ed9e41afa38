import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Scope } from "@berth/base";
import { deleteSandbox, type Operation, restartSandbox, startSandbox, stopSandbox } from "@berth/protocol";
import { ProxmoxClient } from "@berth/proxmox";
import type { FaultRule, PctCommand } from "@berth/pve-emulator";
import { type Berth, eventually, testDatabase } from "@berth/testkit";
import { presentOperation } from "../../../src/operations/record.ts";
import { connect, type Store } from "../../../src/store/connect.ts";
import { startBerth } from "../../e2e/berth.ts";
import { ProxmoxControl } from "../../proxmox-control.ts";
import { type Facts, gatherFacts } from "../facts.ts";
import type { FaultyWorld } from "../flows.ts";

/** Longest that anything may take, in milliseconds. */
const limitMs = 240_000;

const wishes = { start: startSandbox, stop: stopSandbox, restart: restartSandbox, destroy: deleteSandbox } as const;

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

  async want(kind: keyof typeof wishes): Promise<Operation> {
    const [sandbox] = (await this.facts()).sandboxes;
    if (!sandbox) throw new Error(`there is no sandbox to ${kind}`);
    return (await this.berth.client.call(wishes[kind], { params: { id: sandbox.id } })).operation;
  }

  /** Read from the database, since there may be no controller to ask. */
  async operation(id: string): Promise<Operation> {
    const { db } = this.#store;
    return presentOperation(
      await db.selectFrom("operations").selectAll().where("id", "=", id).executeTakeFirstOrThrow(),
    );
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
