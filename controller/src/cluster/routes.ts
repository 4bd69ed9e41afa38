import { listNodes, type Node } from "@berth/protocol";
import type { ProxmoxClient, ProxmoxNode } from "@berth/proxmox";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import { page } from "../http/page.ts";
import { asked } from "./question.ts";

export interface ClusterRouteDependencies {
  client: ProxmoxClient;
}

export function clusterRoutes(api: Api, { client }: ClusterRouteDependencies): void {
  mount(api, listNodes, async ({ query }) => {
    const nodes = await asked(() => client.cluster.nodes());
    const counts = await api.db
      .selectFrom("sandboxes")
      .select(["node", (eb) => eb.fn.countAll<number>().as("count")])
      .groupBy("node")
      .execute();
    const sandboxes = new Map(counts.map(({ node, count }) => [node, Number(count)]));
    const sorted = nodes.toSorted((a, b) => a.node.localeCompare(b.node));
    return page(
      sorted,
      query,
      ({ node }) => node,
      (node) => presentNode(node, sandboxes.get(node.node) ?? 0),
    );
  });
}

function presentNode(node: ProxmoxNode, sandboxes: number): Node {
  return {
    name: node.node,
    online: node.online,
    cpu: node.cpu ?? null,
    cores: node.cores ?? null,
    memoryBytes: node.maxMemoryBytes ?? null,
    memoryUsedBytes: node.memoryBytes ?? null,
    uptimeSeconds: node.uptimeSeconds ?? null,
    sandboxes,
  };
}
