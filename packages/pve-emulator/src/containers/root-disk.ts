import { formatPropertyString, readPropertyString } from "../schema/property-string.ts";
import type { ConfigValues, Container } from "./container.ts";

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

/** The storage of a configuration's root disk. */
export function storageOf(values: ConfigValues): string {
  return readPropertyString(values.rootfs ?? "", "volume").volume?.split(":")[0] ?? "";
}

/** The volume of a container's root disk. */
export function volumeOf(storage: string, vmid: number, base = false): string {
  return `${storage}:${vmid}/${base ? "base" : "vm"}-${vmid}-disk-0.subvol`;
}

/** A `rootfs` with another volume, all else kept; the volume stands first and without its key. */
export function rootfsValue(volume: string, disk: Readonly<Record<string, string>>): string {
  const { volume: _volume, ...rest } = disk;
  return [volume, formatPropertyString(rest, "")].filter(Boolean).join(",");
}
