import { after } from "@berth/base";
import { isProxmoxError, type TaskResult } from "@berth/proxmox";
import { StepFailure } from "../../sandboxes/failures.ts";
import { beginOn } from "../../sandboxes/task-watch.ts";
import type { TemplateRow } from "../record.ts";
import { type BuildDependencies, type BuildStep, placeOf } from "./dependencies.ts";

const shutdownSeconds = 60;

/** Clearing up tells no operation what it does. */
export type ClearingDependencies = Omit<BuildDependencies, "tasks">;

/** Boots the container. */
export const start: BuildStep = async (deps, row, operation) => {
  await deps.templates.change(row, { address: null });
  const at = placeOf(row);
  const begin = () => beginOn(deps.client, at, "vzstart", () => deps.client.containers.start(at));
  await deps.tasks.run(row, operation, "start", begin, ["running"]);
};

/** Shuts the container down, so that what was written in it is on its disk. */
export const shutdown: BuildStep = async (deps, row, operation) => {
  const at = placeOf(row);
  const shut = () => deps.client.containers.shutdown(at, { timeoutSeconds: shutdownSeconds, forceStop: true });
  const begin = () => beginOn(deps.client, at, "vzshutdown", shut);
  await deps.tasks.run(row, operation, "convert", begin, ["not_running"]);
};

/** Stops the container at once. */
export async function powerOff(deps: ClearingDependencies, row: TemplateRow): Promise<void> {
  await ended(deps, () => deps.client.containers.stop(placeOf(row)), "not_running");
  await deps.templates.change(row, { address: null });
}

/** Destroys the container with its disk; from then on nothing comes of the call that made it. */
export async function destroy(deps: ClearingDependencies, row: TemplateRow): Promise<void> {
  await ended(deps, () => deps.client.containers.destroy(placeOf(row), { purge: true }), "missing");
  await deps.templates.change(row, { asked_at: null });
}

/** Stops the Proxmox task of a build that is not wanted any more, and waits a while for its end, however that is. */
export async function stopTask(deps: ClearingDependencies, row: TemplateRow): Promise<void> {
  const upid = row.task?.upid;
  try {
    if (upid !== undefined) {
      await deps.client.tasks.stop(upid);
      await waitFor(deps, upid);
    }
  } catch (error) {
    // It has ended already, Proxmox does not know it any more, or it does not end: then the container says what it did.
    const over = isProxmoxError(error, "invalid", "other") || error instanceof StepFailure;
    if (!over) throw error;
  }
  await deps.templates.change(row, { task: null });
}

/** Runs a task whose lines nobody reads. */
async function ended(
  deps: ClearingDependencies,
  begin: () => Promise<string>,
  already: "not_running" | "missing",
): Promise<void> {
  try {
    const { error } = await waitFor(deps, await begin());
    if (error) throw error;
  } catch (error) {
    if (!isProxmoxError(error, already)) throw error;
  }
}

/** How long a task of clearing up may take, in milliseconds. */
const taskLimitMs = 3 * 60_000;

async function waitFor({ client, clock, signal }: ClearingDependencies, upid: string): Promise<TaskResult> {
  const late = new AbortController();
  const callOff = after(clock, taskLimitMs, () => late.abort(endless(upid)));
  try {
    return await client.tasks.wait(upid, { signal: AbortSignal.any([signal, late.signal]) });
  } finally {
    callOff();
  }
}

function endless(upid: string): StepFailure {
  return new StepFailure(
    {
      code: "task_endless",
      message: `The Proxmox task ${upid} did not end within three minutes.`,
      hint: "Look at it in Proxmox, and stop it there.",
    },
    { retry: false },
  );
}
