import { sql } from "kysely";
import type { OperationRow } from "../../operations/record.ts";
import { StepFailure } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import { type ActionDependencies, place } from "./dependencies.ts";

/**
 * Makes a sandbox of the warm pool that of whoever took it: its name in Proxmox and within, the keys of its owner and
 * its host certificate, its environment. Its identity stays what it was: nobody had it yet.
 */
export async function handOver(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const { name } = row;
  // Proxmox writes it into the container at each start.
  const named = deps.client.containers.configure(place(row), { hostname: name });
  const [inProxmox, within] = await Promise.allSettled([named, deps.handOver(row)]);
  if (inProxmox.status === "rejected") throw inProxmox.reason;
  if (within.status === "rejected") throw unreachable(row, within.reason);
  await deps.journal.log(operation, "bootstrap", "berth", `took it from the warm pool, and called it ${name}`);
  // Renamed meanwhile, it is handed over once more.
  await deps.sandboxes.change(row, { handover_wanted: sql<boolean>`sandboxes.name <> ${name}` });
}

function unreachable({ address }: SandboxRow, cause: unknown): StepFailure {
  const message = cause instanceof Error ? cause.message : "unknown error";
  return new StepFailure(
    {
      code: "hand_over_failed",
      message: `The sandbox at ${address} could not be given its name and keys: ${message}.`,
      hint: "Look whether the controller reaches the container's SSH port (bridge, VLAN, firewall), then press Start.",
    },
    { retry: true, cause },
  );
}
