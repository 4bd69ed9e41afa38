import { isErrno } from "@berth/base/node";
import type { Caller } from "../access/caller.ts";
import type { Emulation } from "../emulation.ts";
import { Interrupted, type TaskContext, wasKilled } from "../tasks/task.ts";
import { type Container, newContainer } from "./container.ts";
import type { CreateOrder } from "./create-order.ts";
import { startStart } from "./power.ts";

/**
 * Starts to make a container from an archive; answers the UPID. The id is taken before this resolves. Until the disk
 * is made the configuration is nothing but a lock, and the container is in no pool: as on PVE, whose rights come from
 * the pool does not see it.
 */
export async function startCreate(emulation: Emulation, order: CreateOrder, caller: Caller): Promise<string> {
  const { store, tasks } = emulation;
  const container = newContainer(order.vmid, { lock: "create" }, []);
  await store.create(container);
  try {
    const task = { type: "vzcreate", id: String(order.vmid), caller, ownCheckpoint: true };
    return await tasks.start(task, async (context) => {
      await store.exclusive(order.vmid, () => runCreate(emulation, container, order, context));
      if (order.start) await startStart(emulation, order.vmid, caller);
    });
  } catch (error) {
    await store.remove(container).catch(() => {});
    throw error;
  }
}

async function runCreate(
  emulation: Emulation,
  container: Container,
  order: CreateOrder,
  { log, signal, checkpoint }: TaskContext,
): Promise<void> {
  const { backend, store, pools } = emulation;
  const { vmid, values, pool } = order;
  try {
    log(`extracting archive '${order.archive}'`);
    await checkpoint();
    await backend.disks.extract(vmid, order.archive, {
      diskBytes: order.diskBytes,
      hostname: order.hostname,
      authorizedKeys: order.publicKeys,
      rootPassword: order.password,
      signal,
      log,
      ...(order.bytesPerSecond === undefined ? {} : { bytesPerSecond: order.bytesPerSecond }),
    });
    if (signal.aborted) throw new Interrupted();
    if (pool !== undefined) await pools.join(pool, vmid);
    container.values = values;
    await store.save(container);
    emulation.report(`container ${vmid} created`);
  } catch (error) {
    // A worker that is gone leaves its lock, and what it has extracted.
    if (wasKilled(error, signal)) throw error;
    await pools.leave(vmid);
    await backend.disks.remove(vmid);
    await backend.forget(vmid);
    await store.remove(container);
    throw new Error(`unable to create CT ${vmid} - ${reasonOf(error, order.archive)}`, { cause: error });
  }
}

function reasonOf(error: unknown, archive: string): string {
  if (!(error instanceof Error)) return String(error);
  const absent = isErrno(error, "ENOENT") && "path" in error && error.path === archive;
  return absent ? `failed to open '${archive}': No such file or directory` : error.message;
}
