import { BerthError, getTemplate, listNodes, type Node } from "@berth/protocol";
import { isProxmoxError, type ProxmoxClient, type ProxmoxNode } from "@berth/proxmox";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import { page } from "../http/page.ts";
import type { TemplateFinder } from "./template.ts";

export interface ClusterRouteDependencies {
  client: ProxmoxClient;
  template: TemplateFinder;
}

export function clusterRoutes(api: Api, { client, template }: ClusterRouteDependencies): void {
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

  mount(api, getTemplate, async () => {
    const unbuilt = { version: null, latestVersion: null, outdated: false, builtAt: null, skipped: [] };
    const builds = { build: null, lastBuild: null, templates: [] };
    const state = await asked(() => template.find());
    if (state.kind === "ready") {
      return {
        vmid: template.vmid,
        state: "ready" as const,
        node: state.facts.node,
        name: state.facts.name ?? null,
        error: null,
        ...unbuilt,
        ...builds,
      };
    }
    const reason =
      state.kind === "missing" ? `There is no template ${template.vmid} that the token may see` : state.reason;
    return {
      vmid: template.vmid,
      state: state.kind,
      node: state.kind === "unusable" ? state.node : null,
      name: null,
      error: {
        code: "template_unusable",
        message: `${reason}.`,
        hint: "Make it, or name another with BERTH_TEMPLATE_VMID.",
      },
      ...unbuilt,
      ...builds,
    };
  });
}

/** A question to Proxmox whose failure is the caller's answer. */
async function asked<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (isProxmoxError(error))
      throw new BerthError("proxmox_unavailable", error.message, { hint: error.hint, cause: error });
    throw error;
  }
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
