import type { Caller } from "../access/caller.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { readPropertyString } from "../schema/property-string.ts";
import { rootfsValue } from "./clone.ts";
import { type Container, digestOf, requireDigest, requireUnlocked } from "./container.ts";

const units: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** Bytes of a size such as `2G`; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text) ?? [];
  const factor = units[unit];
  return amount === undefined || factor === undefined ? undefined : Math.round(Number(amount) * factor);
}

/** The shortest text of a size that is exact. */
export function formatSize(bytes: number): string {
  for (const unit of ["T", "G", "M", "K"]) {
    const factor = units[unit] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

/** Bytes of a container's root disk; 0 while it has none. */
export function diskSize(container: Container): number {
  const disk = readPropertyString(container.values.rootfs ?? "", "volume");
  return parseSize(disk.size ?? "") ?? 0;
}

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
