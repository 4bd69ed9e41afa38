import type { ListedTask, ProxmoxClient } from "@berth/proxmox";
import type { TemplateRow } from "./record.ts";

/** The clocks of two machines differ a little. */
const clockSkewMs = 60_000;

/**
 * The task that makes a build's container, or has made it, of a call that was made since then: its answer may have been
 * lost. Undefined: the call did not act, or its task took away again what it had made. A task that has ended may be of
 * an earlier build that had the same id, unless there is a container.
 */
export async function findCreation(
  client: ProxmoxClient,
  row: TemplateRow,
  since: Date,
): Promise<ListedTask | undefined> {
  const { node, vmid } = row;
  if (node === null || vmid === null) return undefined;
  const sinceSeconds = Math.floor((since.getTime() - clockSkewMs) / 1000);
  const listed = await client.tasks.list(node, { vmid, type: "vzcreate", source: "all", sinceSeconds });
  const newestFirst = listed.toSorted((a, b) => b.startedAtSeconds - a.startedAtSeconds);
  return newestFirst.find(({ exitStatus }) => exitStatus === undefined || !isCleanedUp(exitStatus));
}

/** Proxmox says so when it has taken the container away again; of a worker that was killed it says nothing. */
export function isCleanedUp(exitStatus: string): boolean {
  return /^unable to create CT \d+/.test(exitStatus);
}
