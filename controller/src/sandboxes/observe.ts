import { type ContainerConfig, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { FleetKeys } from "../fleet/keys.ts";
import { readOwner } from "../fleet/ownership.ts";
import type { ObservedContainer } from "./plan.ts";
import type { SandboxRow } from "./record.ts";

export interface ObserveDependencies {
  client: ProxmoxClient;
  keys: FleetKeys;
}

/** A container as Proxmox shows it, and the node on which it was found. */
export interface Sighting {
  container: ObservedContainer;
  node: string | undefined;
}

/**
 * Looks at the container at a sandbox's vmid: two calls, three while its address is needed. Throws a ProxmoxError when
 * Proxmox cannot be asked.
 */
export async function observeContainer(
  { client, keys }: ObserveDependencies,
  row: SandboxRow,
  needsAddress: boolean,
): Promise<Sighting> {
  if (row.vmid === null || row.node === null) return { container: { kind: "none" }, node: undefined };
  const at = await locate(client, row.vmid, row.node);
  if (at === "none" || at === "hidden") return { container: { kind: at }, node: undefined };
  const { node, config } = at;
  const owner = readOwner(keys, config.description, row.vmid);
  if (owner.kind !== "ours" || owner.sandboxId !== row.id) {
    // A clone on its way may not have its description yet.
    if (config.lock === "create") return { container: { kind: "hidden" }, node };
    const reason = owner.kind === "foreign" ? owner.reason : "its description does not name this sandbox";
    return { container: { kind: "foreign", reason }, node };
  }
  const status = await client.containers.status({ node, vmid: row.vmid });
  const address =
    status.running && needsAddress ? await firstAddress(client, node, row.vmid) : (row.address ?? undefined);
  const power = status.running ? "running" : "stopped";
  return { container: { kind: "ours", power, lock: config.lock ?? status.lock, address }, node };
}

/** Reads a container's configuration where it was last, and where it is now if it has moved. */
async function locate(
  client: ProxmoxClient,
  vmid: number,
  node: string,
): Promise<"none" | "hidden" | { node: string; config: ContainerConfig }> {
  try {
    return { node, config: await client.containers.config({ node, vmid }) };
  } catch (error) {
    if (isProxmoxError(error, "forbidden")) return "hidden";
    if (!isProxmoxError(error, "missing")) throw error;
  }
  const moved = (await client.cluster.containers()).find(
    (candidate) => candidate.vmid === vmid && candidate.node !== node,
  );
  if (!moved) return "none";
  return { node: moved.node, config: await client.containers.config(moved) };
}

/** IPv4 first, since every bridge with DHCP has it; link-local addresses lead nowhere from another host. */
async function firstAddress(client: ProxmoxClient, node: string, vmid: number): Promise<string | undefined> {
  const addresses = (await client.containers.addresses({ node, vmid })).filter(
    ({ interface: name, address }) =>
      name !== "lo" && !address.toLowerCase().startsWith("fe80:") && !address.startsWith("169.254."),
  );
  return (addresses.find(({ family }) => family === 4) ?? addresses[0])?.address;
}
