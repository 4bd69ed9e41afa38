import {
  newId,
  type Operation,
  type OperationKind,
  operationSteps,
  type SandboxOperationKind,
  type Step,
} from "@berth/protocol";
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
    result: row.result,
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

/** The row of an operation on a sandbox that has not begun. */
export function queuedOperation(
  sandbox: Pick<Selectable<SandboxesTable>, "id" | "name" | "owner_id">,
  kind: SandboxOperationKind,
  now: Date,
): OperationRow {
  const { id, owner_id } = newOperation(sandbox.owner_id, kind);
  return {
    ...{ id, owner_id, kind, state: "queued", steps: pendingSteps(kind), error: null, request: null, result: null },
    ...{ sandbox_id: sandbox.id, sandbox_name: sandbox.name, created_at: now, finished_at: null },
  };
}

/** What is inserted for an operation that has not begun. */
export function newOperation(ownerId: string, kind: OperationKind) {
  const steps = JSON.stringify(pendingSteps(kind));
  return { id: newId("operation"), owner_id: ownerId, kind, state: "queued" as const, steps };
}

function pendingSteps(kind: OperationKind): Step[] {
  return operationSteps[kind].map((name) => ({
    name,
    state: "pending",
    progress: null,
    detail: null,
    startedAt: null,
    finishedAt: null,
  }));
}
