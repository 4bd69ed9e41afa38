import { after, type Clock } from "@berth/base";
import type { ContainerPlace } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { ClusterView } from "../cluster/cluster-view.ts";
import type { Database } from "../store/tables.ts";
import type { SandboxRow } from "./record.ts";

export interface WatchDependencies {
  db: Kysely<Database>;
  view: ClusterView;
  clock: Clock;
  log: FastifyBaseLogger;
  agents: AgentPresence;
  wake(sandboxId: string): void;
}

/** What the fleet's watch has to know of agents; the registry tells it. */
export interface AgentPresence {
  isConnected(sandboxId: string): boolean;
  /** Since when it is not connected, in milliseconds. */
  awaySince(sandboxId: string): number;
}

/** How often the fleet is compared with what Proxmox shows, in milliseconds: one call, however large the fleet. */
const everyMs = 5_000;
/**
 * How long the agent of a settled sandbox may be away before that is looked into, in milliseconds. An agent that was
 * restarted, or lost a controller that was, is back by then.
 */
const agentAwayMs = 10_000;

/**
 * Notices what happens to settled sandboxes behind Berth's back: a container that stopped, moved or vanished, an agent
 * that stays away. It decides nothing, and writes nothing: what differs gets a look.
 */
export class FleetWatch {
  readonly #deps: WatchDependencies;
  #callOff = () => {};
  #stopped = false;

  constructor(dependencies: WatchDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    void this.#goOn();
  }

  stop(): void {
    this.#stopped = true;
    this.#callOff();
  }

  /**
   * Compares the fleet once: one query, one call of Proxmox, and a look at each sandbox that differs. Answers how many
   * differ. Rejects when the database or Proxmox cannot be asked.
   */
  async compare(): Promise<number> {
    const rows = await this.#deps.db
      .selectFrom("sandboxes")
      .select(["id", "vmid", "node", "state", "cores", "memory_mib", "drift", "restart_needed"])
      .where("vmid", "is not", null)
      .where("look_at", "is", null)
      .where("state", "in", ["ready", "stopped", "asleep"])
      .execute();
    if (rows.length === 0) return 0;
    const containers = await this.#deps.view.containers();
    if (this.#stopped) return 0;
    const differing = rows.filter((row) => this.#differs(row, containers.get(row.vmid ?? 0)));
    for (const { id } of differing) this.#deps.wake(id);
    return differing.length;
  }

  async #goOn(): Promise<void> {
    try {
      await this.compare();
    } catch (error) {
      // Proxmox away is told by the readiness, and by every step that needs it.
      if (!this.#stopped) this.#deps.log.debug({ err: error }, "the fleet could not be compared");
    }
    if (!this.#stopped) this.#callOff = after(this.#deps.clock, everyMs, () => void this.#goOn());
  }

  #differs(row: WatchedRow, seen: ContainerPlace | undefined): boolean {
    if (!seen || seen.node !== row.node) return true;
    if (seen.status === "unknown") return false;
    if (isResized(row, seen)) return true;
    if (row.state !== "ready") return seen.status !== "stopped";
    if (seen.status !== "running") return true;
    const { agents, clock } = this.#deps;
    return !agents.isConnected(row.id) && clock.now() - agents.awaySince(row.id) > agentAwayMs;
  }
}

type WatchedRow = Pick<SandboxRow, "id" | "node" | "state" | "cores" | "memory_mib" | "drift" | "restart_needed">;

/**
 * Whether somebody has given a container another size than is known of. A disk is not compared: of one in use the list
 * tells the size of its file system.
 */
function isResized(row: WatchedRow, { cores, maxMemoryBytes }: ContainerPlace): boolean {
  // What counts from the next restart on is not what the list shows until then.
  if (row.restart_needed.length > 0) return false;
  const known = (setting: "cores" | "memoryMiB", wanted: number) =>
    row.drift.find((one) => one.setting === setting)?.found ?? wanted;
  const otherCores = cores !== undefined && cores !== known("cores", row.cores) && known("cores", row.cores) !== 0;
  const memoryMiB = maxMemoryBytes === undefined ? undefined : Math.round(maxMemoryBytes / 1024 ** 2);
  return otherCores || (memoryMiB !== undefined && memoryMiB !== known("memoryMiB", row.memory_mib));
}
