import type { Step } from "@berth/protocol";
import type { Selectable } from "kysely";
import type { OperationRow } from "../operations/record.ts";
import type { TemplatesTable } from "../store/tables.ts";

export type TemplateRow = Selectable<TemplatesTable>;

/** The step of an operation that runs. */
export function runningStep(operation: OperationRow | undefined): Step | undefined {
  return operation?.steps.find((step) => step.state === "running");
}

/** The name of a build's container in sentences. */
export function containerOf(row: TemplateRow): string {
  return row.vmid === null ? "its container" : `the container ${row.vmid}`;
}
