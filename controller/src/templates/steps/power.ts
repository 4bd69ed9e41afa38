import { isProxmoxError } from "@berth/proxmox";
import type { TemplateRow } from "../record.ts";
import { type BuildDependencies, type BuildStep, placeOf } from "./dependencies.ts";

const shutdownSeconds = 60;

/** Boots the container. */
export const start: BuildStep = async (deps, row, operation) => {
  await deps.templates.change(row, { address: null });
  await deps.tasks.run(row, operation, "start", () => deps.client.containers.start(placeOf(row)), ["running"]);
};

/** Shuts the container down, so that what was written in it is on its disk. */
export const shutdown: BuildStep = async (deps, row, operation) => {
  const begin = () =>
    deps.client.containers.shutdown(placeOf(row), { timeoutSeconds: shutdownSeconds, forceStop: true });
  await deps.tasks.run(row, operation, "convert", begin, ["not_running"]);
};

/** Stops the container at once. */
export async function powerOff(deps: BuildDependencies, row: TemplateRow): Promise<void> {
  await ended(deps, () => deps.client.containers.stop(placeOf(row)), "not_running");
  await deps.templates.change(row, { address: null });
}

/** Destroys the container with its disk; from then on nothing comes of the call that made it. */
export async function destroy(deps: BuildDependencies, row: TemplateRow): Promise<void> {
  await ended(deps, () => deps.client.containers.destroy(placeOf(row), { purge: true }), "missing");
  await deps.templates.change(row, { asked_at: null });
}

/** Stops the Proxmox task of a build that is not wanted any more, and waits for its end, however that is. */
export async function stopTask({ client, templates, signal }: BuildDependencies, row: TemplateRow): Promise<void> {
  const upid = row.task?.upid;
  try {
    if (upid !== undefined) {
      await client.tasks.stop(upid);
      await client.tasks.wait(upid, { signal });
    }
  } catch (error) {
    // It has ended already, or Proxmox does not know it any more.
    if (!isProxmoxError(error, "invalid", "other")) throw error;
  }
  await templates.change(row, { task: null });
}

/** Runs a task whose lines nobody reads. */
async function ended(
  { client, signal }: BuildDependencies,
  begin: () => Promise<string>,
  already: "not_running" | "missing",
): Promise<void> {
  try {
    const { error } = await client.tasks.wait(await begin(), { signal });
    if (error) throw error;
  } catch (error) {
    if (!isProxmoxError(error, already)) throw error;
  }
}
