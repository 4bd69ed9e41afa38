import { type Clock, SerialQueue } from "@berth/base";
import type { ClusterRoom, ProxmoxClient } from "@berth/proxmox";
import type { Kysely } from "kysely";
import type { Database } from "../store/tables.ts";
import type { TemplateFacts } from "../templates/finder.ts";
import { SharedRead } from "./cluster-view.ts";
import {
  type PlacementNode,
  type PlacementStorage,
  type PlacementTemplate,
  type PlacementWish,
  place,
  type Refusal,
} from "./placement.ts";

export interface PlacerDependencies {
  db: Kysely<Database>;
  client: ProxmoxClient;
  clock: Clock;
  /** How many times over a node's memory may be promised to sandboxes. */
  memoryOvercommit: number;
}

/** What is wanted of a place; the rest is the fleet's. */
export type PlaceWish = Omit<PlacementWish, "memoryOvercommit">;

/** A template with what a placement has to know of it. */
export interface PlacedTemplate extends PlacementTemplate {
  readonly facts: TemplateFacts;
}

/** How old the cluster's figures may be: they are some seconds old on Proxmox's own side. */
const roomAgeMs = 2_000;
const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;

/** What the database knows of sandboxes on nodes. */
interface Promised {
  readonly vmid: number | null;
  readonly node: string | null;
  readonly memory_mib: number;
  readonly disk_gib: number;
  readonly desired: string;
  readonly configured: boolean;
  readonly placement: { readonly storage: string | null } | null;
}

/** Finds places for sandboxes, by what the cluster shows and what was promised already. */
export class Placer {
  readonly #deps: PlacerDependencies;
  readonly #room: SharedRead<ClusterRoom>;
  /** Two that choose at once would not see what the other takes. */
  readonly #choosing = new SerialQueue();

  constructor(dependencies: PlacerDependencies) {
    this.#deps = dependencies;
    this.#room = new SharedRead(dependencies.clock, () => dependencies.client.cluster.room());
  }

  /**
   * Finds a place, and gives it to `take`, which writes it down before the next is found one. Throws what that throws,
   * and a ProxmoxError when the cluster cannot be asked.
   */
  find<R>(
    wish: PlaceWish,
    templates: readonly TemplateFacts[],
    take: (placement: ReturnType<typeof place<PlacedTemplate>>) => Promise<R>,
  ): Promise<R> {
    return this.#choosing.run(async () => {
      const nodes = await this.nodes();
      const { memoryOvercommit } = this.#deps;
      return take(place({ ...wish, memoryOvercommit }, nodes, placedTemplates(templates)));
    });
  }

  /** Why nodes are not taken for what is wanted, by their names. Throws like `find`. */
  async refusals(wish: PlaceWish, templates: readonly TemplateFacts[]): Promise<ReadonlyMap<string, Refusal>> {
    const { memoryOvercommit } = this.#deps;
    const { refusals } = place({ ...wish, memoryOvercommit }, await this.nodes(), placedTemplates(templates));
    return new Map(refusals.map((refusal) => [refusal.node, refusal]));
  }

  /** The nodes as a placement sees them. */
  async nodes(): Promise<PlacementNode[]> {
    const room = await this.#room.get(roomAgeMs);
    const promised = await this.#deps.db
      .selectFrom("sandboxes")
      .select(["vmid", "node", "memory_mib", "disk_gib", "desired", "configured", "placement"])
      .where("node", "is not", null)
      .execute();
    return nodesOf(room, promised);
  }

  /** The cluster as it was read last, for those who show it. */
  room(): Promise<ClusterRoom> {
    return this.#room.get(roomAgeMs);
  }
}

/** Of the same version as the first, which is the newest. */
function placedTemplates(templates: readonly TemplateFacts[]): PlacedTemplate[] {
  return templates.map((facts) => ({
    ...{ facts, vmid: facts.vmid, node: facts.node, storage: facts.storage, diskGiB: facts.diskGiB },
    current: facts.built?.version === templates[0]?.built?.version,
  }));
}

/** Puts together what the cluster shows and what was promised. Exported for its test. */
export function nodesOf(room: ClusterRoom, promised: readonly Promised[]): PlacementNode[] {
  const used = new Map(room.containers.map(({ vmid, memoryBytes }) => [vmid, memoryBytes]));
  const unusedBytes = ({ vmid, memory_mib }: Promised) =>
    Math.max(0, memory_mib * mebibyte - (vmid === null ? 0 : (used.get(vmid) ?? 0)));
  return room.nodes.map(({ node, online, maintenance, memoryBytes, maxMemoryBytes }) => ({
    name: node,
    online,
    maintenance,
    memory:
      maxMemoryBytes === undefined || memoryBytes === undefined
        ? undefined
        : {
            totalBytes: maxMemoryBytes,
            usedBytes: memoryBytes,
            promisedBytes: promised
              .filter((one) => one.node === node && one.desired === "running")
              .reduce((sum, one) => sum + unusedBytes(one), 0),
          },
    storages: storagesOf(room, node, promised),
  }));
}

function storagesOf(room: ClusterRoom, node: string, promised: readonly Promised[]): PlacementStorage[] {
  return room.storages
    .filter((one) => one.node === node && one.available && one.content.includes("rootdir"))
    .map(({ storage, type, shared, totalBytes, usedBytes }) => {
      const coming = promised
        .filter((one) => !one.configured && one.placement?.storage === storage && (shared || one.node === node))
        .reduce((sum, one) => sum + one.disk_gib * gibibyte, 0);
      const free = totalBytes === undefined || usedBytes === undefined ? undefined : totalBytes - usedBytes - coming;
      return { name: storage, type, shared, totalBytes, freeBytes: free === undefined ? undefined : Math.max(0, free) };
    });
}
