import { type ContainerAddress, type ContainerConfig, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import { isIdFree } from "../cluster/free-ids.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import { findCreation } from "./creation.ts";
import { readTemplateMark } from "./mark.ts";
import type { ObservedBuild } from "./plan.ts";
import type { TemplateRow } from "./record.ts";

export interface ObserveBuildDependencies {
  client: ProxmoxClient;
  keys: FleetKeys;
}

/** Looks at the container of a build. Throws a ProxmoxError when Proxmox cannot be asked. */
export async function observeBuild(deps: ObserveBuildDependencies, row: TemplateRow): Promise<ObservedBuild> {
  if (row.vmid === null || row.node === null) return { kind: "none" };
  const at = { node: row.node, vmid: row.vmid };
  const config = await readConfig(deps.client, at);
  if (config === "none") return { kind: "none" };
  if (config === "forbidden") {
    // Where rights come from a pool, that is the answer for what is not there, too.
    return (await isIdFree(deps.client, row.vmid)) ? { kind: "none" } : hidden(deps, row);
  }
  const mark = readTemplateMark(deps.keys, config.description, row.vmid);
  if (mark.kind !== "ours" || mark.statement.id !== row.id) {
    // While it is made, its configuration is a lock and nothing else; so it is when a removal's worker was killed.
    if (config.lock === "create") return hidden(deps, row);
    const isRest = config.lock === "destroyed" && config.description === undefined;
    if (!isRest) return { kind: "foreign" };
    return { kind: "ours", running: false, template: false, lock: config.lock, address: undefined };
  }
  const status = await deps.client.containers.status(at);
  return {
    kind: "ours",
    running: status.running,
    template: config.template,
    lock: config.lock ?? status.lock,
    address: status.running ? reachable(await deps.client.containers.addresses(at)) : undefined,
  };
}

async function hidden({ client }: ObserveBuildDependencies, row: TemplateRow): Promise<ObservedBuild> {
  const begun = row.asked_at !== null && (await findCreation(client, row, row.asked_at)) !== undefined;
  return { kind: "hidden", begun };
}

async function readConfig(
  client: ProxmoxClient,
  at: { node: string; vmid: number },
): Promise<ContainerConfig | "none" | "forbidden"> {
  try {
    return await client.containers.config(at);
  } catch (error) {
    if (isProxmoxError(error, "forbidden")) return "forbidden";
    if (isProxmoxError(error, "missing")) return "none";
    throw error;
  }
}

/** IPv4 first; link-local addresses lead nowhere from another host. */
function reachable(addresses: readonly ContainerAddress[]): string | undefined {
  const usable = addresses.filter(
    ({ interface: name, address }) =>
      name === "eth0" && !address.toLowerCase().startsWith("fe80:") && !address.startsWith("169.254."),
  );
  return (usable.find(({ family }) => family === 4) ?? usable[0])?.address;
}
