import { Gate } from "@berth/base";
import type { Orphan } from "@berth/protocol";
import { type ContainerConfig, type ContainerResource, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { Kysely } from "kysely";
import type { FleetKeys } from "../fleet/keys.ts";
import { type Ownership, readOwner } from "../fleet/ownership.ts";
import { type ContainerSettings, settingsOfContainer } from "../sandboxes/container-settings.ts";
import type { Database } from "../store/tables.ts";

export interface OrphanDependencies {
  db: Kysely<Database>;
  client: ProxmoxClient;
  keys: FleetKeys;
  /** The fleet's, of sandboxes that have none of their own. */
  vlan: number | undefined;
}

/** An orphan, with what was read of it. */
export interface FoundOrphan {
  readonly orphan: Orphan;
  readonly config: ContainerConfig;
  readonly owner: Extract<Ownership, { kind: "ours" }>;
  /** Undefined: it cannot be adopted. */
  readonly settings: ContainerSettings | undefined;
  /** The VLAN of its own; null: the fleet's, or none. */
  readonly vlan: number | null;
}

/** What one look at the cluster came to. */
export interface OrphanLook {
  readonly found: readonly FoundOrphan[];
  /** Containers whose node is away: whose they are cannot be told now. */
  readonly unreadable: readonly number[];
  /** Containers that are somebody else's. */
  readonly strangers: readonly ContainerResource[];
}

/** Which containers a look is at. */
export interface OrphanLookWish {
  readonly vmid?: number;
  /** Not worth a look. */
  readonly passes?: (container: ContainerResource) => boolean;
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
  async find(vmid?: number): Promise<readonly FoundOrphan[]> {
    return (await this.look(vmid === undefined ? {} : { vmid })).found;
  }

  /** Looks at the cluster. Throws like `find`. */
  async look({ vmid, passes = () => false }: OrphanLookWish = {}): Promise<OrphanLook> {
    const { db, client } = this.#deps;
    const listed = await client.cluster.containers();
    // Read after the list: a sandbox that is made meanwhile has its row before its container.
    const known = new Set((await db.selectFrom("sandboxes").select("id").execute()).map(({ id }) => id));
    const claimed = new Set((await db.selectFrom("claims").select("vmid").execute()).map((claim) => claim.vmid));
    const gate = new Gate(readsAtOnce);
    const candidates = listed
      .filter((one) => (vmid === undefined || one.vmid === vmid) && !one.template && !claimed.has(one.vmid))
      .filter((one) => !passes(one))
      .toSorted((a, b) => a.vmid - b.vmid);
    const read = await Promise.all(candidates.map((one) => gate.run(() => this.#read(one))));
    return {
      found: read.flatMap((one) => (one.kind === "ours" && !known.has(one.found.owner.sandboxId) ? [one.found] : [])),
      unreadable: read.flatMap((one) => (one.kind === "unreadable" ? [one.vmid] : [])),
      strangers: read.flatMap((one) => (one.kind === "stranger" ? [one.container] : [])),
    };
  }

  async #read(resource: ContainerResource): Promise<Read> {
    const { client, keys, vlan } = this.#deps;
    try {
      const config = await client.containers.config(resource);
      const owner = readOwner(keys, config.description, resource.vmid);
      if (owner.kind !== "ours") return { kind: "stranger", container: resource };
      // One without a disk, or locked while it is made, is nobody's yet.
      if (config.rootfs === undefined || config.lock === "create") return { kind: "nothing" };
      const settings = settingsOfContainer(config);
      const orphan = orphanOf(resource, config, owner, settings);
      return { kind: "ours", found: { orphan, config, owner, settings, vlan: vlanOf(config, vlan) } };
    } catch (error) {
      if (isProxmoxError(error, "node_offline")) return { kind: "unreadable", vmid: resource.vmid };
      if (isProxmoxError(error, "missing", "forbidden")) return { kind: "nothing" };
      throw error;
    }
  }
}

type Read =
  | { readonly kind: "ours"; readonly found: FoundOrphan }
  | { readonly kind: "stranger"; readonly container: ContainerResource }
  | { readonly kind: "unreadable"; readonly vmid: number }
  /** Gone, not to be seen, or not made yet. */
  | { readonly kind: "nothing" };

function orphanOf(
  resource: ContainerResource,
  config: ContainerConfig,
  owner: FoundOrphan["owner"],
  settings: ContainerSettings | undefined,
): Orphan {
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
    obstacle: settings
      ? null
      : "Its configuration does not say how large its disk is: pct rescan on its node writes that.",
  };
}

/** The tag of its network card where that is not the fleet's; a sandbox cannot have none where the fleet has one. */
function vlanOf({ nets }: ContainerConfig, ofFleet: number | undefined): number | null {
  const tag = Number(nets.get(0)?.tag ?? Number.NaN);
  return Number.isInteger(tag) && tag >= 1 && tag <= 4094 && tag !== ofFleet ? tag : null;
}
