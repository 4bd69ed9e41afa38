import { newId, type Operation, type OperationKind, operationSteps, type Sandbox } from "@berth/protocol";
import type { Selectable, Transaction } from "kysely";
import type { Database, OperationsTable, SandboxesTable } from "../store/tables.ts";
import { isSandboxState } from "./state.ts";

export type SandboxRow = Selectable<SandboxesTable>;
export type OperationRow = Selectable<OperationsTable>;

/** A sandbox as the outside sees it. */
export function presentSandbox(
  row: SandboxRow,
  more: { agentConnected: boolean; operationId: string | null },
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
    node: row.node,
    vmid: row.vmid,
    address: row.address,
    workspace: row.workspace,
    envNames: Object.keys(row.env).sort(),
    agent: { connected: more.agentConnected, version: row.agent_version },
    operationId: more.operationId,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

/** An operation as the outside sees it. */
export function presentOperation(row: OperationRow): Operation {
  return {
    id: row.id,
    kind: row.kind,
    sandboxId: row.sandbox_id,
    sandboxName: row.sandbox_name,
    state: row.state,
    steps: row.steps,
    error: row.error,
    createdAt: row.created_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
  };
}

/** Writes a new operation on a sandbox. There must be none under way on it. */
export async function insertOperation(
  trx: Transaction<Database>,
  sandbox: Pick<SandboxRow, "id" | "name" | "owner_id">,
  kind: OperationKind,
): Promise<OperationRow> {
  const steps = operationSteps[kind].map((name) => ({
    name,
    state: "pending" as const,
    progress: null,
    detail: null,
    startedAt: null,
    finishedAt: null,
  }));
  return trx
    .insertInto("operations")
    .values({
      id: newId("operation"),
      owner_id: sandbox.owner_id,
      sandbox_id: sandbox.id,
      sandbox_name: sandbox.name,
      kind,
      state: "queued",
      steps: JSON.stringify(steps),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}
