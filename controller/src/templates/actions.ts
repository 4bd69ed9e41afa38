import type { OperationRow } from "../operations/record.ts";
import type { BuildAction } from "./plan.ts";
import type { TemplateRow } from "./record.ts";
import { connect } from "./steps/connect.ts";
import { convert, unlessConverted } from "./steps/convert.ts";
import { create, noteMaking, release, reserve } from "./steps/create.ts";
import type { BuildDependencies, BuildStep } from "./steps/dependencies.ts";
import { findDebian } from "./steps/find-debian.ts";
import { type ClearingDependencies, destroy, powerOff, shutdown, start, stopTask } from "./steps/power.ts";
import { prove } from "./steps/prove.ts";
import { provision, send } from "./steps/provision.ts";

/** Actions on the way to a template: they tell an operation what they do. */
export type BuildingAction = Exclude<BuildAction, ClearingAction | "adopt" | "forget">;
/** Actions that take a half-built container away; there may be no operation any more. */
export type ClearingAction = "stop-task" | "kill" | "destroy";

/** What each action on the way to a template does. */
export const buildingActions: Record<BuildingAction, BuildStep> = {
  "find-debian": findDebian,
  reserve,
  release,
  create,
  "follow-task": followTask,
  start,
  connect,
  send,
  provision,
  prove,
  shutdown,
  convert,
};

/** What each action that clears up does. */
export const clearingActions: Record<ClearingAction, (deps: ClearingDependencies, row: TemplateRow) => Promise<void>> =
  {
    "stop-task": stopTask,
    kill: powerOff,
    destroy,
  };

async function followTask(deps: BuildDependencies, row: TemplateRow, operation: OperationRow): Promise<void> {
  const follow = () => deps.tasks.follow(row, operation);
  if (row.task?.step === "create") await noteMaking(deps, row, follow);
  else await unlessConverted(follow());
}
