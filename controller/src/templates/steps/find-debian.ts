import type { Failure } from "@berth/protocol";
import { isProxmoxError, type ProxmoxStorage } from "@berth/proxmox";
import type { OperationRow } from "../../operations/record.ts";
import { StepFailure } from "../../sandboxes/failures.ts";
import type { TemplateRow } from "../record.ts";
import type { BuildDependencies, BuildStep } from "./dependencies.ts";

const packageName = "debian-12-standard";
/** Storages whose disks can be the base of linked clones, as PVE's storage plugins say. */
const linking = ["zfspool", "lvmthin", "rbd", "btrfs"];

/** Chooses where the template is built, and finds Debian's own template there or has the node download it. */
export const findDebian: BuildStep = async (deps, row, operation) => {
  const node = await chooseNode(deps, row);
  const storages = await deps.client.storages.list(node);
  const storage = chooseStorage(deps, row, node, storages);
  const archive = (await newestArchive(deps, node, storages)) ?? (await download(deps, row, operation, node, storages));
  const bridge = row.wanted.bridge ?? deps.bridge ?? "vmbr0";
  await deps.journal.log(
    operation,
    "debian",
    "berth",
    `on the node ${node}, from ${archive}, on the storage ${storage}, at the bridge ${bridge}`,
  );
  await deps.templates.change(row, { node, storage, bridge, archive });
};

/** The node that was asked for, or the one of the present template: sandboxes stay where they are made now. */
async function chooseNode({ client, finder }: BuildDependencies, row: TemplateRow): Promise<string> {
  const nodes = await client.cluster.nodes();
  const online = nodes.filter((node) => node.online).map(({ node }) => node);
  const wanted = row.wanted.node;
  if (wanted !== undefined) {
    if (online.includes(wanted)) return wanted;
    const known = nodes.some(({ node }) => node === wanted);
    throw refusal({
      code: known ? "node_offline" : "node_unknown",
      message: known ? `The node ${wanted} is offline.` : `There is no node ${wanted}.`,
      hint: `Build on one of: ${online.join(", ") || "none is online"}.`,
    });
  }
  const present = await finder.find();
  const node = present.kind === "ready" ? present.facts.node : undefined;
  const chosen = online.find((candidate) => candidate === node) ?? online.toSorted()[0];
  if (chosen !== undefined) return chosen;
  throw refusal({
    code: "node_offline",
    message: "No node is online that the token may see.",
    hint: "See `pvecm status` on a node, and give the token Sys.Audit on /nodes.",
  });
}

function chooseStorage(
  deps: BuildDependencies,
  row: TemplateRow,
  node: string,
  storages: readonly ProxmoxStorage[],
): string {
  const able = storages.filter(({ content, active }) => active && content.includes("rootdir"));
  const names = able.map(({ storage }) => storage).join(", ") || "none that the token may see (Datastore.Audit)";
  const wanted = row.wanted.storage ?? deps.storage;
  if (wanted !== undefined) {
    if (able.some(({ storage }) => storage === wanted)) return wanted;
    throw refusal({
      code: "storage_unusable",
      message: `The storage ${wanted} cannot hold disks of containers on the node ${node}.`,
      hint: `Those that can: ${names}.`,
    });
  }
  const [best] = able.toSorted(
    (a, b) =>
      Number(linking.includes(b.type)) - Number(linking.includes(a.type)) ||
      (b.availableBytes ?? 0) - (a.availableBytes ?? 0),
  );
  if (best) return best.storage;
  throw refusal({
    code: "storage_unusable",
    message: `No storage on the node ${node} can hold disks of containers.`,
    hint: "Allow the content “Container” on one (Datacenter, Storage), and give the token Datastore.Audit and Datastore.AllocateSpace on it.",
  });
}

function archiveStorages(storages: readonly ProxmoxStorage[]): string[] {
  return storages.filter(({ content, active }) => active && content.includes("vztmpl")).map(({ storage }) => storage);
}

/** The newest of Debian's templates that a storage of the node has. */
async function newestArchive(
  { client }: BuildDependencies,
  node: string,
  storages: readonly ProxmoxStorage[],
): Promise<string | undefined> {
  const found: { volume: string; name: string }[] = [];
  for (const storage of archiveStorages(storages)) found.push(...(await client.storages.templates(node, storage)));
  const usable = found.filter(({ name }) => name.startsWith(`${packageName}_`));
  return usable.toSorted((a, b) => b.name.localeCompare(a.name, "en", { numeric: true }))[0]?.volume;
}

async function download(
  { client, tasks }: BuildDependencies,
  row: TemplateRow,
  operation: OperationRow,
  node: string,
  storages: readonly ProxmoxStorage[],
): Promise<string> {
  const [storage] = archiveStorages(storages);
  const offered = await client.nodes.applianceTemplates(node);
  const usable = offered.filter(({ package: name, template }) => (name ?? template).startsWith(packageName));
  const [newest] = usable.toSorted((a, b) => b.template.localeCompare(a.template, "en", { numeric: true }));
  if (storage === undefined || newest === undefined) {
    throw refusal({
      code: "debian_missing",
      message:
        storage === undefined
          ? `No storage on the node ${node} can hold container templates.`
          : `The node ${node} has no ${packageName}, and does not offer it for download.`,
      hint:
        storage === undefined
          ? "Allow the content “Container template” on one (Datacenter, Storage), and give the token Datastore.Audit and Datastore.AllocateTemplate on it."
          : "Run `pveam update` on the node, or upload Debian's standard template to it.",
    });
  }
  const begin = () => client.nodes.downloadTemplate(node, { storage, template: newest.template });
  try {
    await tasks.run(row, operation, "debian", begin, []);
  } catch (error) {
    if (!isProxmoxError(error, "other")) throw error;
    throw refusal({
      code: "debian_missing",
      message: `${newest.template} could not be downloaded: ${error.message}`,
      hint: `Look whether the node ${node} reaches the internet, or upload ${newest.template} to ${storage}.`,
    });
  }
  return `${storage}:vztmpl/${newest.template}`;
}

function refusal(failure: Failure): StepFailure {
  return new StepFailure(failure, { retry: false });
}
