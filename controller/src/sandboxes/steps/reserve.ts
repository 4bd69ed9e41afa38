import { type Place as ClusterPlace, gib, type Refusal } from "../../cluster/placement.ts";
import type { PlacedTemplate } from "../../cluster/placer.ts";
import type { OperationRow } from "../../operations/record.ts";
import { StepFailure } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import { cloneFacts } from "./clone.ts";
import { type ActionDependencies, readyTemplates } from "./dependencies.ts";

type Place = ClusterPlace<PlacedTemplate>;

/** Finds the sandbox a place in the cluster, and takes an id for it there. Throws a `StepFailure` if there is none. */
export async function reserve(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const tell = (text: string) => deps.journal.log(operation, "reserve", "berth", text);
  // A copy is made where its source is.
  if (row.source) {
    await deps.claims.take(row, row.source.node, deps.template.vmid);
    return tell(`claimed the id ${row.vmid} on the node ${row.node}`);
  }
  const templates = await readyTemplates(deps.template);
  const wish = {
    node: row.node_wanted,
    memoryMiB: row.memory_mib,
    diskGiB: row.disk_gib,
    runs: row.desired === "running",
    storage: deps.storage,
  };
  const { place, refusals } = await deps.placer.find(wish, templates, async (placement) => {
    if (placement.kind === "nowhere") throw nowhere(row, placement.refusals);
    const { template, node, full, storage } = placement.place;
    await deps.claims.take(row, node, deps.template.vmid);
    const chosen = { full, storage: storage ?? null };
    await deps.sandboxes.change(row, { ...cloneFacts(template.facts), placement: JSON.stringify(chosen) });
    return placement;
  });
  await tell(`claimed the id ${row.vmid} on the node ${row.node}`);
  await tell(placeText(place));
  const avoided = refusals.map(({ node, reason }) => `${node}: ${reason}`);
  if (avoided.length > 0) await tell(`not ${avoided.join("; not ")}`);
}

function placeText({ node, template, full, storage, memory, disk }: Place): string {
  const how = full
    ? `a whole copy of the template ${template.vmid} on ${storage}`
    : `sharing the disk of ${template.vmid}`;
  const from = template.node === node ? "" : `, from ${template.node}`;
  const old = template.current ? "" : ", which is not of the newest version: build one there";
  const room = [
    memory && `${gib(memory.totalBytes - memory.usedBytes)} of memory (${gib(memory.promisedBytes)} promised)`,
    disk?.freeBytes !== undefined && `${gib(disk.freeBytes)} on ${disk.name}`,
  ].filter(Boolean);
  return `${how}${from}${old}${room.length === 0 ? "" : `; free there: ${room.join(", ")}`}`;
}

/** Nothing fits: why, with the numbers of every node, and what to do. */
function nowhere(
  { node_wanted: wanted, memory_mib: memoryMiB, disk_gib: diskGiB }: SandboxRow,
  refusals: readonly Refusal[],
) {
  const [only] = refusals;
  const failure = (code: string, message: string, hint: string) =>
    new StepFailure({ code, message, hint }, { retry: false });
  if (wanted !== null && !only) {
    return failure(
      "node_unknown",
      `There is no node ${wanted}.`,
      "Make the sandbox anew on one that is there: berth nodes.",
    );
  }
  if (wanted !== null && (only?.kind === "offline" || only?.kind === "maintenance")) {
    const state = only.kind === "offline" ? "offline" : "in maintenance";
    const hint = "Make the sandbox anew on another node, or wherever the most room is, by naming none.";
    return failure(`node_${only.kind}`, `The node ${wanted} is ${state}.`, hint);
  }
  const kinds = new Set(refusals.map(({ kind }) => kind));
  const cures = [
    (kinds.has("memory") || kinds.has("storage")) && "ask for a smaller sandbox, or stop or delete others",
    kinds.has("offline") && "bring back the node that is offline",
    kinds.has("maintenance") && "end the maintenance",
    kinds.has("template") && "build a template on the node that has none, or on storage that all share",
  ].filter((cure) => cure !== false);
  const cure = cures.join("; or ");
  const reasons = refusals.map(({ node, reason }) => `${node}: ${reason}`).join("; ");
  return failure(
    "no_room",
    `No node has room for ${memoryMiB} MiB of memory and ${diskGiB} GiB of disk. ${reasons || "There is no node."}.`,
    `${cure.charAt(0).toUpperCase()}${cure.slice(1)}; then try again.`,
  );
}
