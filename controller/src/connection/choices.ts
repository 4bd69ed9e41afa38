import type { Examination } from "@berth/protocol";
import { proxmoxNameSchema } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import { Value } from "typebox/value";
import { briefly } from "../doctor/check.ts";

/** What there is to choose from. */
export type Choices = Pick<Examination, "pools" | "storages" | "bridges">;

export const noChoices: Choices = { pools: [], storages: [], bridges: [] };
/** Of each kind. */
const maxChoices = 100;
/** A cluster's nodes are mostly alike; these many tell what there is. */
const maxNodes = 8;

/** The pools, storages for containers' disks and bridges that the token sees. What cannot be asked is left empty. */
export async function findChoices(client: ProxmoxClient): Promise<Choices> {
  const nodes = (await orNone(client.cluster.nodes(briefly()))).filter(({ online }) => online).slice(0, maxNodes);
  const [pools, storages, bridges] = await Promise.all([
    orNone(client.cluster.pools(briefly())),
    Promise.all(nodes.map(({ node }) => orNone(client.storages.list(node, { content: "rootdir" }, briefly())))),
    Promise.all(nodes.map(({ node }) => orNone(client.nodes.bridges(node, briefly())))),
  ]);
  return {
    pools: namesOf(pools.map(({ poolid }) => poolid)),
    storages: namesOf(
      storages
        .flat()
        .filter(({ active }) => active)
        .map(({ storage }) => storage),
    ),
    bridges: namesOf(bridges.flat().map(({ name }) => name)),
  };
}

async function orNone<T>(question: Promise<T[]>): Promise<T[]> {
  try {
    return await question;
  } catch {
    // The checks say why.
    return [];
  }
}

/** Only names that could be chosen. */
function namesOf(names: readonly string[]): string[] {
  return [...new Set(names)]
    .filter((name) => Value.Check(proxmoxNameSchema, name))
    .toSorted()
    .slice(0, maxChoices);
}
