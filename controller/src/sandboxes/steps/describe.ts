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

/** What the description of a sandbox's container is to tell. */
export function toldOf({ name, sleep_after }: SandboxRow, owner: string): Told {
  return { name, owner, ...(sleep_after === null ? {} : { sleepAfter: sleep_after }) };
}

/**
 * Has a container's description tell what there is to tell of the sandbox now, if it told something else when it was
 * looked at, or nothing, and its host name be its name, which Proxmox writes into it at each start. The digest is of that
 * look: what somebody has written meanwhile is not written over. Throws a ProxmoxError.
 */
export async function describe(
  { client, keys }: DescribeDependencies,
  row: SandboxRow,
  owner: string,
  found: { readonly told: Told | undefined; readonly digest: string },
): Promise<void> {
  const told = toldOf(row, owner);
  if (isDeepStrictEqual(told, found.told)) return;
  const at = place(row);
  const description = describeOwner(keys, row.id, at.vmid, told);
  await client.containers.configure(at, { digest: found.digest, description, hostname: row.name });
}
