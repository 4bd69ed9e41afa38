import type { Selectable } from "kysely";
import type { TemplatesTable } from "../store/tables.ts";

export type TemplateRow = Selectable<TemplatesTable>;

/** The name of a build's container in sentences. */
export function containerOf(row: TemplateRow): string {
  return row.vmid === null ? "its container" : `the container ${row.vmid}`;
}
