import type { Caller } from "../access/caller.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { readPropertyString } from "../schema/property-string.ts";
import { digestOf, requireDigest, requireUnlocked } from "./container.ts";
import { diskSize, formatSize, parseSize, rootfsValue } from "./root-disk.ts";

export interface ResizeOrder {
  readonly disk: string;
  /** `3G`, or `+1G` for so much more. */
  readonly size: string;
  readonly digest?: string;
}

/** Grows a container's disk, running or not. */
export async function startResize(
  { store, tasks, backend }: Emulation,
  vmid: number,
  order: ResizeOrder,
  caller: Caller,
): Promise<string> {
  const container = store.require(vmid);
  requireDigest(digestOf(container), order.digest);
  requireUnlocked(container);
  if (order.disk !== "rootfs") throw ApiError.died(`disk '${order.disk}' does not exist`);
  const present = diskSize(container);
  const amount = parseSize(order.size.replace(/^\+/, "")) ?? 0;
  const wanted = order.size.startsWith("+") ? present + amount : amount;
  if (wanted < present) throw ApiError.died("unable to shrink disk size");
  if (wanted === present) throw ApiError.died("disk is already at specified size");
  return tasks.start({ type: "resize", id: String(vmid), caller }, () =>
    store.exclusive(vmid, async () => {
      requireUnlocked(container);
      await backend.disks.grow(vmid, wanted);
      const disk = readPropertyString(container.values.rootfs ?? "", "volume");
      container.values.rootfs = rootfsValue(disk.volume ?? "", { ...disk, size: formatSize(wanted) });
      await store.save(container);
    }),
  );
}
