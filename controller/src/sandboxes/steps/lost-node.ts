import { isProxmoxError } from "@berth/proxmox";
import type { OperationRow } from "../../operations/record.ts";
import type { SandboxRow } from "../record.ts";
import type { ActionDependencies } from "./dependencies.ts";

/**
 * What was being cloned on a node that is down now is given up for another place; what is left of it there is removed
 * when the node is back. Answers whether it was: not while the cluster still counts the node in, since a node that only
 * starts its API anew is back in seconds.
 */
export async function leaveLostNode(
  deps: Pick<ActionDependencies, "client" | "claims" | "journal" | "sandboxes">,
  row: SandboxRow,
  operation: OperationRow,
  error: unknown,
): Promise<boolean> {
  if (!isProxmoxError(error, "node_offline")) return false;
  // A copy has nowhere else to go: its source is there.
  if (row.source || row.vmid === null || row.configured || row.desired === "destroyed") return false;
  const { client, claims, journal, sandboxes } = deps;
  const offline = (await client.cluster.nodes()).filter(({ online }) => !online).map(({ node }) => node);
  const template = (await client.cluster.places()).find(({ vmid }) => vmid === row.template_vmid);
  const lost = offline.find((node) => node === row.node || node === template?.node);
  if (lost === undefined) return false;
  await journal.log(
    operation,
    "clone",
    "berth",
    `the node ${lost} went down while ${row.vmid} was cloned: it goes elsewhere, and what is left of it there will be removed`,
  );
  if (row.task) await sandboxes.change(row, { task: null });
  // What the task made may be there, whatever was heard of it.
  await claims.noteAsked(row.id, true);
  await claims.abandon(row);
  return true;
}
