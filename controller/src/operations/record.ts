import { newId, type Operation, type OperationKind, operationSteps, type SandboxOperationKind } from "@berth/protocol";
import type { Kysely, Selectable } from "kysely";
import type { Database, OperationsTable, SandboxesTable } from "../store/tables.ts";

export type OperationRow = Selectable<OperationsTable>;

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
export function insertOperation(
  db: Kysely<Database>,
  sandbox: Pick<Selectable<SandboxesTable>, "id" | "name" | "owner_id">,
  kind: SandboxOperationKind,
): Promise<OperationRow> {
  return db
    .insertInto("operations")
    .values({ ...newOperation(sandbox.owner_id, kind), sandbox_id: sandbox.id, sandbox_name: sandbox.name })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The row of an operation that has not begun. */
export function newOperation(ownerId: string, kind: OperationKind) {
  const steps = operationSteps[kind].map((name) => ({
    name,
    state: "pending" as const,
    progress: null,
    detail: null,
    startedAt: null,
    finishedAt: null,
  }));
  return { id: newId("operation"), owner_id: ownerId, kind, state: "queued" as const, steps: JSON.stringify(steps) };
}
