import { type DoctorCheck, listNodes, type Node, type SandboxSize } from "@berth/protocol";
import type { NodeRoom } from "@berth/proxmox";
import type { Kysely } from "kysely";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import { page } from "../http/page.ts";
import type { Database } from "../store/tables.ts";
import type { TemplateFacts, TemplateFinder } from "../templates/finder.ts";
import type { PlacementNode, Refusal } from "./placement.ts";
import type { Placer } from "./placer.ts";
import { asked } from "./question.ts";

export interface ClusterRouteDependencies {
  placer: Placer;
  finder: TemplateFinder;
  /** Of a sandbox for which nobody says otherwise. */
  size: SandboxSize;
  /** Where the settings want disks. */
  storage: string | undefined;
  /** What the doctor found lately. */
  checks: () => Promise<readonly DoctorCheck[]>;
}

export function clusterRoutes(api: Api, dependencies: ClusterRouteDependencies): void {
  const { db } = api;
  mount(api, listNodes, async ({ query: { checks: wanted = true, ...query } }) => {
    const [{ nodes, presented }, checks] = await Promise.all([
      hosts(db, dependencies),
      wanted ? dependencies.checks() : [],
    ]);
    return { ...page(nodes, query, ({ node }) => node, presented), checks: [...checks] };
  });
}

/** The hosts in their order, and how each is presented. */
async function hosts(db: Kysely<Database>, { placer, finder, size, storage }: ClusterRouteDependencies) {
  const [{ nodes }, places, templates] = await asked(() => Promise.all([placer.room(), placer.nodes(), finder.all()]));
  const usual = { node: null, memoryMiB: size.memoryMiB, diskGiB: size.diskGiB, runs: true, storage };
  const refusals = await asked(() => placer.refusals(usual, templates));
  const counts = await db
    .selectFrom("sandboxes")
    .select(["node", (eb) => eb.fn.countAll<number>().as("count")])
    .groupBy("node")
    .execute();
  const sandboxes = new Map(counts.map(({ node, count }) => [node, Number(count)]));
  const presented = (room: NodeRoom) =>
    presentNode(room, {
      place: places.find(({ name }) => name === room.node),
      templates: templates.filter(({ node }) => node === room.node),
      sandboxes: sandboxes.get(room.node) ?? 0,
      refusal: refusals.get(room.node),
    });
  return { nodes: nodes.toSorted((a, b) => a.node.localeCompare(b.node)), presented };
}

interface Beside {
  readonly place: PlacementNode | undefined;
  readonly templates: readonly TemplateFacts[];
  readonly sandboxes: number;
  readonly refusal: Refusal | undefined;
}

function presentNode(room: NodeRoom, { place, templates, sandboxes, refusal }: Beside): Node {
  return {
    name: room.node,
    online: room.online,
    maintenance: room.maintenance,
    avoided: refusal ? { kind: refusal.kind, reason: refusal.reason } : null,
    cpu: room.cpu ?? null,
    cores: room.cores ?? null,
    memoryBytes: room.maxMemoryBytes ?? null,
    memoryUsedBytes: room.memoryBytes ?? null,
    memoryPromisedBytes: place?.memory?.promisedBytes ?? null,
    storages: (place?.storages ?? []).map(({ name, type, shared, totalBytes, freeBytes }) => ({
      ...{ name, type: type ?? null, shared },
      ...{ totalBytes: totalBytes ?? null, freeBytes: freeBytes ?? null },
    })),
    templates: templates.map(({ vmid, built }) => ({ vmid, version: built?.version ?? null })),
    uptimeSeconds: room.uptimeSeconds ?? null,
    sandboxes,
  };
}
