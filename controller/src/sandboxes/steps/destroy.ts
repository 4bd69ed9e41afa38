import type { StepName } from "@berth/protocol";
import { type ContainerRef, isProxmoxError } from "@berth/proxmox";
import { readOwner } from "../../fleet/ownership.ts";
import type { OperationRow } from "../../operations/record.ts";
import { judge, StepFailure } from "../failures.ts";
import { findContainer } from "../left-claims.ts";
import { cloneLeft, removalLeft } from "../plan.ts";
import type { SandboxRow } from "../record.ts";
import { beginOn } from "../task-watch.ts";
import type { ActionDependencies } from "./dependencies.ts";

/** Destroys a container that is stopped, with its disks. */
export async function destroy(
  deps: ActionDependencies,
  row: SandboxRow,
  at: ContainerRef,
  operation: OperationRow,
): Promise<void> {
  // A clone that was never configured has the protection of what it is a copy of.
  if (!row.configured) {
    const { protection } = await deps.client.containers.config(at);
    if (protection) await deps.client.containers.configure(at, { protection: false });
  }
  const begin = () => beginOn(deps.client, at, "vzdestroy", () => deps.client.containers.destroy(at, { purge: true }));
  await deps.tasks.run(row, operation, "delete", begin, ["missing"]);
}

/**
 * A container at an id that was given up is removed only if it says, signed, that it is this sandbox's. What cannot be
 * removed now keeps only a sandbox that is destroyed itself waiting.
 */
export async function deleteAbandoned(
  deps: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
): Promise<void> {
  for (const claim of await deps.claims.abandoned(row.id)) {
    try {
      await deleteClaimed(deps, row, operation, claim);
    } catch (error) {
      if (row.desired === "destroyed" || !isForLater(error)) throw error;
      await deps.journal.log(
        operation,
        "configure",
        "berth",
        `left for later at the id ${claim.vmid}: ${wordsOf(error)}`,
      );
      await deps.claims.leave(claim.vmid);
      continue;
    }
    await deps.claims.release(claim.vmid);
  }
}

/** Its node is away, or a lock that nobody holds any more was left there. */
function isForLater(error: unknown): boolean {
  return isProxmoxError(error, "node_offline", "locked") || error instanceof StepFailure;
}

function wordsOf(error: unknown): string {
  const { message, hint } = judge(error).failure;
  return [message, hint].filter(Boolean).join(" ");
}

async function deleteClaimed(
  deps: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
  { vmid, node, asked }: { vmid: number; node: string; asked: boolean },
): Promise<void> {
  const found = await findContainer(deps.client, { node, vmid });
  if (found === "none") return;
  if (found === "hidden") {
    // What was asked for and cannot be read may be half a clone of ours.
    if (asked) throw new StepFailure(cloneLeft(vmid), { retry: true });
    return;
  }
  const { at, config } = found;
  const owner = readOwner(deps.keys, config.description, vmid);
  // It may be what is left of ours; what somebody else removes is gone at the next look.
  if (config.lock === "destroyed" && asked) throw new StepFailure(removalLeft(vmid), { retry: true });
  if (owner.kind !== "ours" || owner.sandboxId !== row.id) return;
  const status = await deps.client.containers.status(at);
  const name: StepName = "delete";
  const begin = () => beginOn(deps.client, at, "vzstop", () => deps.client.containers.stop(at));
  if (status.running) await deps.tasks.run(row, operation, name, begin, ["not_running"]);
  await destroy(deps, row, at, operation);
}
