import { Gate } from "@berth/base";
import type { Orphan } from "@berth/protocol";
import { type ContainerConfig, type ContainerResource, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { FleetKeys } from "../fleet/keys.ts";
import { type Ownership, readOwner } from "../fleet/ownership.ts";
import type { Database } from "../store/tables.ts";

export interface OrphanDependencies {
  db: Kysely<Database>;
  client: ProxmoxClient;
  keys: FleetKeys;
  log: FastifyBaseLogger;
}

/** An orphan, with what was read of it. */
export interface FoundOrphan {
  readonly orphan: Orphan;
  readonly config: ContainerConfig;
  readonly owner: Extract<Ownership, { kind: "ours" }>;
}

/** How many configurations are read at once: a node's API has three workers. */
const readsAtOnce = 4;

/**
 * Finds containers that this fleet has made and that no sandbox has, by their signed descriptions alone: neither name
 * nor tag nor pool says whose a container is. Touches nothing.
 */
export class Orphans {
  readonly #deps: OrphanDependencies;

  constructor(dependencies: OrphanDependencies) {
    this.#deps = dependencies;
  }

  /** All of them, or the one of an id. Throws a ProxmoxError when Proxmox cannot be asked. */
  async find(vmid?: number): Promise<FoundOrphan[]> {
    const { db, client } = this.#deps;
    const listed = await client.cluster.containers();
    // Read after the list: a sandbox that is made meanwhile has its row before its container.
    const known = new Set((await db.selectFrom("sandboxes").select("id").execute()).map(({ id }) => id));
    const claimed = new Set((await db.selectFrom("claims").select("vmid").execute()).map((claim) => claim.vmid));
    const gate = new Gate(readsAtOnce);
    const candidates = listed
      .filter((one) => (vmid === undefined || one.vmid === vmid) && !one.template && !claimed.has(one.vmid))
      .toSorted((a, b) => a.vmid - b.vmid);
    const read = await Promise.all(candidates.map((one) => gate.run(() => this.#read(one))));
    return read.filter((found) => found !== undefined).filter(({ owner }) => !known.has(owner.sandboxId));
  }

  /** Tells the log of those that there are, once in a while; answers 0, since nothing is removed. */
  async report(): Promise<number> {
    for (const { orphan } of await this.find()) {
      const { vmid, node, sandboxId, name } = orphan;
      this.#deps.log.warn({ vmid, node, sandboxId, name }, "a container of this fleet's belongs to no sandbox");
    }
    return 0;
  }

  async #read(resource: ContainerResource): Promise<FoundOrphan | undefined> {
    const { client, keys } = this.#deps;
    try {
      const config = await client.containers.config(resource);
      const owner = readOwner(keys, config.description, resource.vmid);
      // One without a disk, or locked while it is made, is nobody's yet.
      if (owner.kind !== "ours" || config.rootfs === undefined || config.lock === "create") return undefined;
      return { orphan: orphanOf(resource, config, owner), config, owner };
    } catch (error) {
      if (isProxmoxError(error, "missing", "forbidden", "node_offline")) return undefined;
      throw error;
    }
  }
}

function orphanOf(resource: ContainerResource, config: ContainerConfig, owner: FoundOrphan["owner"]): Orphan {
  // A linked clone's volume names the disk that it shares: `local-zfs:basevol-150-disk-0/subvol-151-disk-0`.
  const base = /:(?:base|basevol)-(\d+)-disk/.exec(config.rootfs?.volume ?? "")?.[1];
  return {
    vmid: resource.vmid,
    node: resource.node,
    sandboxId: owner.sandboxId,
    name: owner.told?.name ?? config.hostname ?? null,
    owner: owner.told?.owner ?? null,
    template: base === undefined ? null : Number(base),
    power: resource.status === "running" ? "running" : "stopped",
  };
}
