import type { Idle, Sandbox } from "@berth/protocol";
import type { Selectable } from "kysely";
import type { SandboxesTable } from "../store/tables.ts";
import { isSandboxState } from "./state.ts";

export type SandboxRow = Selectable<SandboxesTable>;

/** In use, not running, or not known. */
export const notIdle: Idle = { since: null, sleepsAt: null, uses: [] };

/** A sandbox as the outside sees it. */
export function presentSandbox(
  row: SandboxRow,
  more: { agentConnected: boolean; idle: Idle; operationId: string | null },
): Sandbox {
  return {
    id: row.id,
    name: row.name,
    ownerId: row.owner_id,
    state: isSandboxState(row.state) ? row.state : "failed",
    error: row.error,
    cores: row.cores,
    memoryMiB: row.memory_mib,
    diskGiB: row.disk_gib,
    vlan: row.vlan,
    onBoot: row.on_boot,
    protection: row.protection,
    restartNeeded: row.restart_needed,
    drift: row.drift,
    forkedFrom: row.source?.sandboxId ?? null,
    node: row.node,
    vmid: row.vmid,
    address: row.address,
    sshPort: row.ssh_port ?? 22,
    workspace: row.workspace,
    envNames: Object.keys(row.env).sort(),
    agent: { connected: more.agentConnected, version: row.agent_version },
    attention: row.attention,
    sleepAfterMinutes: row.sleep_after,
    idle: row.state === "ready" ? more.idle : notIdle,
    operationId: more.operationId,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
