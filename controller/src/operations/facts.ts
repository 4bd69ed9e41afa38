import type { Operation, Step } from "@berth/protocol";
import { type RawBuilder, sql } from "kysely";
import { type OperationRow, presentOperation } from "./record.ts";

/** What is told of an operation. */
export interface Fact {
  readonly type: "step" | "done" | "operation";
  readonly data: Step | Operation;
}

/** The events of a statement whose `changed` is the operation: `operation` belongs to the fleet, the others to its own stream. */
export function told(facts: readonly Fact[]): RawBuilder<unknown> {
  return sql`, told as (
    insert into events (owner_id, sandbox_id, operation_id, type, data)
    select changed.owner_id, changed.sandbox_id, case fact ->> 'type' when 'operation' then null else changed.id end,
      fact ->> 'type', fact -> 'data'
    from changed, jsonb_array_elements(${JSON.stringify(facts)}::jsonb) with ordinality as facts (fact, place)
    order by place)
    select id from changed`;
}

/** What is told of a change, in this order. */
export function factsOf(before: OperationRow, after: OperationRow): Fact[] {
  const steps = changedSteps(before.steps, after.steps).map((data) => ({ type: "step" as const, data }));
  const done = after.finished_at === null ? [] : [{ type: "done" as const, data: presentOperation(after) }];
  const turned = before.state === after.state ? [] : [{ type: "operation" as const, data: presentOperation(after) }];
  return [...steps, ...done, ...turned];
}

function changedSteps(before: readonly Step[], after: readonly Step[]): Step[] {
  return after.filter((step, index) => JSON.stringify(step) !== JSON.stringify(before[index]));
}
