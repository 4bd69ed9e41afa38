import type { StepName } from "@berth/protocol";
import { type ContainerRef, isProxmoxError } from "@berth/proxmox";
import { isIdFree } from "../../cluster/free-ids.ts";
import { readOwner } from "../../fleet/ownership.ts";
import type { OperationRow } from "../../operations/record.ts";
import { StepFailure } from "../failures.ts";
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

/** A container at an id that was given up is removed only if it says, signed, that it is this sandbox's. */
export async function deleteAbandoned(
  deps: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
): Promise<void> {
  for (const claim of await deps.claims.abandoned(row.id)) {
    const at = { node: claim.node, vmid: claim.vmid };
    try {
      const config = await deps.client.containers.config(at);
      const owner = readOwner(deps.keys, config.description, claim.vmid);
      // It may be what is left of ours; what somebody else removes is gone at the next look.
      if (config.lock === "destroyed" && claim.asked) throw new StepFailure(removalLeft(claim.vmid), { retry: true });
      if (owner.kind === "ours" && owner.sandboxId === row.id) {
        const status = await deps.client.containers.status(at);
        const name: StepName = "delete";
        const begin = () => beginOn(deps.client, at, "vzstop", () => deps.client.containers.stop(at));
        if (status.running) await deps.tasks.run(row, operation, name, begin, ["not_running"]);
        await destroy(deps, row, at, operation);
      }
    } catch (error) {
      if (!isProxmoxError(error, "missing", "forbidden")) throw error;
      // What was asked for and cannot be read may be half a clone of ours.
      if (claim.asked && isProxmoxError(error, "forbidden") && !(await isIdFree(deps.client, claim.vmid))) {
        throw new StepFailure(cloneLeft(claim.vmid), { retry: true, cause: error });
      }
    }
    await deps.claims.release(claim.vmid);
  }
}
