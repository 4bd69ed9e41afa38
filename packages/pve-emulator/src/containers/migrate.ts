import type { Caller } from "../access/caller.ts";
import { type Emulation, onNode } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { requireStorageOn } from "../storage/storages.ts";
import { wasKilled } from "../tasks/task.ts";
import { requireUnlocked } from "./container.ts";
import { bootContainer, shutDown } from "./power.ts";
import { storageOf } from "./root-disk.ts";

export interface MigrateOrder {
  readonly target: string;
  /** Shut down, and started again there. */
  readonly restart: boolean;
  /** Seconds that the shutdown may take. */
  readonly timeout?: number;
}

/** How long a shutdown waits when the caller does not say, in seconds. */
const defaultShutdownSeconds = 180;

/**
 * Moves a container to another host in a task; its storage has to be there under the same name. A container that runs is
 * only moved with a restart: PVE cannot move one live.
 */
export async function startMigration(
  emulation: Emulation,
  vmid: number,
  order: MigrateOrder,
  caller: Caller,
): Promise<string> {
  const { cluster, site, store, backend, tasks } = emulation;
  const { target, restart } = order;
  if (!cluster.find(target)) throw ApiError.died(`no such cluster node '${target}'`);
  if (target === site.node) throw ApiError.parameters({ target: "target is local node." });
  const container = store.require(vmid);
  if (backend.running(vmid) && !restart) {
    throw ApiError.died("can't migrate running container without --online or --restart");
  }
  return tasks.start({ type: "vzmigrate", id: String(vmid), caller }, (context) =>
    store.exclusive(vmid, async () => {
      requireUnlocked(container);
      const storage = storageOf(container.values);
      requireStorageOn(cluster, storage, target);
      if (!cluster.find(target)?.online) throw new Error(`Can't connect to destination address of node '${target}'`);
      const ran = backend.running(vmid) !== undefined;
      container.values.lock = "migrate";
      await store.save(container);
      try {
        const timeout = order.timeout ?? defaultShutdownSeconds;
        if (ran) await shutDown(emulation, vmid, { timeout }, context);
      } catch (error) {
        if (!wasKilled(error, context.signal)) {
          delete container.values.lock;
          await store.save(container);
        }
        throw error;
      }
      context.log(`starting migration of CT ${vmid} to node '${target}' (127.0.0.1)`);
      delete container.values.lock;
      store.move(container, target);
      await store.save(container);
      if (ran) await bootContainer(onNode(emulation, target), vmid, context.log);
      emulation.report(`container ${vmid} migrated to ${target}`);
    }),
  );
}
