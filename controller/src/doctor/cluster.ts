import type { DoctorCheck } from "@berth/protocol";
import { isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { ContentsFinder } from "../templates/contents.ts";
import type { TemplateFinder, TemplateState } from "../templates/finder.ts";
import { briefly, look } from "./check.ts";
import { needsOf, type Places } from "./needs.ts";
import { checkBridges } from "./network.ts";
import { checkPrivileges } from "./privileges.ts";
import { checkStorages } from "./storages.ts";
import { checkTemplate } from "./template.ts";

/** A cluster, and what Berth is to use of it. */
export interface ClusterPatient {
  readonly client: ProxmoxClient;
  readonly access: { readonly tokenId: string };
  readonly finder: TemplateFinder;
  readonly contents: ContentsFinder;
  readonly pool: string | undefined;
  readonly storage: string | undefined;
  readonly bridge: string | undefined;
  readonly vlan: number | undefined;
  /** Of a sandbox of the usual size. */
  readonly diskGiB: number;
}

/**
 * What can be seen only of a cluster that answers: where it does not, one check says so. `more` is looked at beside the
 * rest, before the template.
 */
export async function checkCluster(
  patient: ClusterPatient,
  more: () => Promise<readonly DoctorCheck[]> = async () => [],
): Promise<readonly DoctorCheck[]> {
  const { client, access, finder, contents, diskGiB } = patient;
  return look({ id: "cluster", title: "Cluster" }, async () => {
    const nodes = (await client.cluster.nodes(briefly())).filter(({ online }) => online).map(({ node }) => node);
    const state = await findTemplate(finder);
    const places = await placesOf(patient, nodes, state);
    const parts = await Promise.all([
      checkPrivileges(client, access.tokenId, needsOf(places)),
      checkStorages(client, nodes, { storage: places.storage, diskGiB }),
      checkBridges(client, nodes, places),
      more(),
      look({ id: "template", title: "Template" }, () => checkTemplate(state, { finder, contents })),
    ]);
    return parts.flat();
  });
}

async function placesOf(
  { client, pool, storage, bridge, vlan, finder }: ClusterPatient,
  nodes: readonly string[],
  state: TemplateState,
): Promise<Places> {
  const facts = state.kind === "ready" ? state.facts : undefined;
  const config = facts && (await client.containers.config(facts));
  const [node] = nodes;
  const listed = node === undefined ? [] : await client.storages.list(node, { content: "vztmpl" }, briefly());
  return {
    ...{ pool, vlan, nodes },
    templates: facts
      ? (await finder.all()).map(({ vmid }) => ({ vmid, found: true }))
      : [{ vmid: finder.vmid, found: false }],
    // Linked clones have their disks where the template has its own.
    storage: storage ?? config?.rootfs?.volume?.split(":")[0],
    archives: listed.find(({ active }) => active)?.storage ?? "local",
    bridge: bridge ?? config?.nets.get(0)?.bridge ?? "vmbr0",
  };
}

/** A template that may not be read is none for whoever asks. */
async function findTemplate(finder: TemplateFinder): Promise<TemplateState> {
  try {
    return await finder.find();
  } catch (error) {
    if (isProxmoxError(error, "forbidden")) return { kind: "missing" };
    throw error;
  }
}
