import { isDeepStrictEqual } from "node:util";
import type { ProxmoxClient } from "@berth/proxmox";
import type { FleetKeys } from "../../fleet/keys.ts";
import { describeOwner, type Told } from "../../fleet/ownership.ts";
import type { SandboxRow } from "../record.ts";
import { place } from "./dependencies.ts";

export interface DescribeDependencies {
  client: ProxmoxClient;
  keys: FleetKeys;
}

/**
 * Has a container's description tell the sandbox's present name and owner, if it told others when it was looked at, or
 * none, and its host name be that name, which Proxmox writes into it at each start. The digest is of that look: what somebody has written meanwhile is not written over. Throws a ProxmoxError.
 */
export async function describe(
  { client, keys }: DescribeDependencies,
  row: SandboxRow,
  owner: string,
  found: { readonly told: Told | undefined; readonly digest: string },
): Promise<void> {
  const told = { name: row.name, owner };
  if (isDeepStrictEqual(told, found.told)) return;
  const at = place(row);
  const description = describeOwner(keys, row.id, at.vmid, told);
  await client.containers.configure(at, { digest: found.digest, description, hostname: row.name });
}
