import { isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import { type Kysely, sql, type Transaction } from "kysely";
import type { FleetKeys } from "../fleet/keys.ts";
import { readOwner } from "../fleet/ownership.ts";
import { poolOwnerId } from "../pool/owner.ts";
import type { Database } from "../store/tables.ts";

/** What the fleet has on the Proxmox that is used. */
export interface Occupants {
  /** Sandboxes that have a container, or are about to. */
  readonly sandboxes: readonly Occupant[];
  /** The same of the warm pool's. */
  readonly members: readonly Occupant[];
  /** Half-made clones on nodes that are away. */
  readonly leftClaims: number;
  /** Templates that are being built, or taken away. */
  readonly builds: number;
}

export interface Occupant {
  readonly id: string;
  readonly name: string;
  readonly vmid: number;
}

export async function findOccupants(db: Kysely<Database>): Promise<Occupants> {
  const rows = await db.selectFrom("sandboxes").select(["id", "name", "vmid", "owner_id"]).orderBy("name").execute();
  const placed = rows.flatMap(({ vmid, ...row }) => (vmid === null ? [] : [{ ...row, vmid }]));
  const count = (table: "claims" | "templates") =>
    db.selectFrom(table).select((eb) => eb.fn.countAll<string>().as("count"));
  const left = await count("claims").where("state", "=", "left").executeTakeFirstOrThrow();
  const builds = await count("templates").where("state", "!=", "ready").executeTakeFirstOrThrow();
  return {
    sandboxes: placed.filter(({ owner_id: owner }) => owner !== poolOwnerId),
    members: placed.filter(({ owner_id: owner }) => owner === poolOwnerId),
    leftClaims: Number(left.count),
    builds: Number(builds.count),
  };
}

/**
 * Keeps everybody from claiming a container's id until the transaction ends: what is counted meanwhile stays so. Rejects
 * after 5 s where somebody else holds them.
 */
export async function holdClaims(trx: Transaction<Database>): Promise<void> {
  await sql`set local lock_timeout = '5s'`.execute(trx);
  await sql`lock table claims, templates in share row exclusive mode`.execute(trx);
}

export function countOf({ sandboxes, members, leftClaims, builds }: Occupants): number {
  return sandboxes.length + members.length + leftClaims + builds;
}

/**
 * Whether another connection leads to the Proxmox that the fleet is on already, by another address or token: each
 * container of the fleet's is there, with its description that we have signed.
 */
export async function leadsToSame(client: ProxmoxClient, keys: FleetKeys, occupants: Occupants): Promise<boolean> {
  const containers = [...occupants.sandboxes, ...occupants.members];
  if (containers.length === 0) return false;
  try {
    const places = new Map((await client.cluster.places()).map((place) => [place.vmid, place]));
    for (const { id, vmid } of containers) {
      const place = places.get(vmid);
      if (!place) return false;
      const { description } = await client.containers.config(place);
      const owner = readOwner(keys, description, vmid);
      if (owner.kind !== "ours" || owner.sandboxId !== id) return false;
    }
    return true;
  } catch (error) {
    if (isProxmoxError(error)) return false;
    throw error;
  }
}

/** How many are named. */
const maxNamed = 10;

/** What is there and what to do about it, a sentence each. */
export function tellOccupants(occupants: Occupants): { readonly detail: string; readonly hint: string } {
  const { sandboxes, members, leftClaims, builds } = occupants;
  const names = sandboxes.slice(0, maxNamed).map(({ name }) => name);
  if (sandboxes.length > maxNamed) names.push(`${sandboxes.length - maxNamed} more`);
  const there = [
    ...(sandboxes.length > 0 ? [`${counted(sandboxes.length, "sandbox", "sandboxes")} (${names.join(", ")})`] : []),
    ...(members.length > 0 ? [counted(members.length, "member of the warm pool", "members of the warm pool")] : []),
    ...(builds > 0 ? [counted(builds, "unfinished template", "unfinished templates")] : []),
    ...(leftClaims > 0 ? [`what is left of ${counted(leftClaims, "clone", "clones")} on nodes that are away`] : []),
  ];
  const todo = [
    ...(sandboxes.length > 0
      ? ["delete the sandboxes, or have PROXMOX_URL name the new one for another controller"]
      : []),
    ...(members.length > 0 ? ["empty the warm pool (berth pool --size 0)"] : []),
    ...(builds > 0 ? ["cancel the build, or wait for its end"] : []),
    ...(leftClaims > 0 ? ["bring those nodes back"] : []),
  ];
  return {
    detail: `The Proxmox that is used now still has ${there.join(" and ")}.`,
    hint: `Before another one is used: ${todo.join("; ")}.`,
  };
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
