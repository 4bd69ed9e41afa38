import type { Caller } from "../access/caller.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { WorkerKilled } from "../tasks/task.ts";
import { type Container, newContainer, requireUnlocked } from "./container.ts";

/** Deletes a container in a task: its disk, snapshots, firewall, pool membership and configuration. */
export async function startDestroy(
  emulation: Emulation,
  vmid: number,
  order: { force: boolean; purge: boolean },
  caller: Caller,
): Promise<string> {
  const { store, backend, tasks } = emulation;
  const container = store.require(vmid);
  requireUnlocked(container);
  refuse(container, backend.running(vmid) !== undefined && !order.force);
  const task = { type: "vzdestroy", id: String(vmid), caller, ownCheckpoint: true };
  return tasks.start(task, ({ log, checkpoint }) =>
    store.exclusive(vmid, async () => {
      requireUnlocked(container);
      refuse(container, backend.running(vmid) !== undefined && !order.force);
      if (backend.running(vmid)) await backend.kill(vmid);
      await checkpoint().catch(async (error: unknown) => {
        // The worst moment for a worker to be killed is later than that for it to fail.
        if (error instanceof WorkerKilled) await removeDisks(emulation, container);
        throw error;
      });
      await removeDisks(emulation, container);
      await eraseContainer(emulation, container);
      if (order.purge) log(`purging CT ${vmid} from related configurations..`);
      emulation.report(`container ${vmid} destroyed`);
    }),
  );
}

/** As on PVE, until all else is gone too the configuration is nothing but a lock, without even a description. */
async function removeDisks({ store, backend }: Emulation, container: Container): Promise<void> {
  await backend.disks.remove(container.vmid);
  const { vmid, firewall } = container;
  Object.assign(container, { ...newContainer(vmid, { lock: "destroyed" }, []), firewall });
  delete container.parent;
  await store.save(container);
}

/** Removes all there is of a container that is stopped. */
export async function eraseContainer({ store, backend, pools }: Emulation, container: Container): Promise<void> {
  await backend.disks.remove(container.vmid);
  await backend.forget(container.vmid);
  await store.remove(container);
  await pools.leave(container.vmid);
}

function refuse(container: Container, running: boolean): void {
  const { vmid, values } = container;
  if (values.protection === "1") throw ApiError.died(`can't remove CT ${vmid} - protection mode enabled`);
  if (running) throw ApiError.died(`unable to destroy CT ${vmid} - container is running`);
}
