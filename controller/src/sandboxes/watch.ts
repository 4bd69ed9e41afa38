import { after, type Clock } from "@berth/base";
import type { ContainerResource, ProxmoxClient } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { Database } from "../store/tables.ts";

export interface WatchDependencies {
  db: Kysely<Database>;
  client: ProxmoxClient;
  clock: Clock;
  log: FastifyBaseLogger;
  isConnected(sandboxId: string): boolean;
  wake(sandboxId: string): void;
}

/** How often the fleet is compared with what Proxmox shows, in milliseconds: one call, however large the fleet. */
const everyMs = 5_000;
const agentsReturnMs = 20_000;

/** Notices what happens to settled sandboxes behind Berth's back: a container that stopped, moved or vanished. */
export class FleetWatch {
  readonly #deps: WatchDependencies;
  #callOff = () => {};
  #startedAt = 0;
  #stopped = false;

  constructor(dependencies: WatchDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#startedAt = this.#deps.clock.now();
    void this.#compare();
  }

  stop(): void {
    this.#stopped = true;
    this.#callOff();
  }

  async #compare(): Promise<void> {
    try {
      const rows = await this.#deps.db
        .selectFrom("sandboxes")
        .select(["id", "vmid", "node", "state", "desired"])
        .where("vmid", "is not", null)
        .where("look_at", "is", null)
        .where("state", "in", ["ready", "stopped"])
        .execute();
      if (rows.length > 0) {
        const containers = new Map((await this.#deps.client.cluster.containers()).map((one) => [one.vmid, one]));
        for (const row of rows) if (this.#differs(row, containers.get(row.vmid ?? 0))) this.#deps.wake(row.id);
      }
    } catch (error) {
      // Proxmox away is told by the readiness, and by every step that needs it.
      if (!this.#stopped) this.#deps.log.debug({ err: error }, "the fleet could not be compared");
    }
    if (!this.#stopped) this.#callOff = after(this.#deps.clock, everyMs, () => void this.#compare());
  }

  #differs(row: { id: string; node: string | null; state: string }, seen: ContainerResource | undefined): boolean {
    if (!seen || seen.node !== row.node) return true;
    if (seen.status === "unknown") return false;
    if (row.state === "stopped") return seen.status !== "stopped";
    if (seen.status !== "running") return true;
    // After a restart of the controller the agents come back by themselves; only one that stays away is looked after.
    return this.#deps.clock.now() - this.#startedAt > agentsReturnMs && !this.#deps.isConnected(row.id);
  }
}
