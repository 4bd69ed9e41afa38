import type { Drift } from "@berth/protocol";
import type { ContainerConfig } from "@berth/proxmox";
import { gibOf } from "../cluster/sizes.ts";
import type { SandboxRow } from "./record.ts";

/** What a sandbox has settings for that are its container's. */
export interface ContainerSettings {
  /** 0: as many as its node has. */
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
  readonly onBoot: boolean;
  readonly protection: boolean;
}

/** What Proxmox takes where a configuration says nothing. */
const defaultMemoryMiB = 512;

/** The settings that a container has; undefined while it has no disk. */
export function settingsOfContainer(config: ContainerConfig): ContainerSettings | undefined {
  const diskGiB = gibOf(config.rootfs?.size);
  if (diskGiB === undefined) return undefined;
  return {
    cores: config.cores ?? 0,
    memoryMiB: config.memoryMiB ?? defaultMemoryMiB,
    diskGiB: Math.ceil(diskGiB),
    onBoot: config.startsAtBoot,
    protection: config.protection,
  };
}

/** The settings that a sandbox is to have. */
export function settingsOfRow(row: SandboxRow): ContainerSettings {
  const { cores, memory_mib: memoryMiB, disk_gib: diskGiB, on_boot: onBoot, protection } = row;
  return { cores, memoryMiB, diskGiB, onBoot, protection };
}

/** How a container differs from what is wanted, setting by setting. */
export function driftBetween(wanted: ContainerSettings, found: ContainerSettings): Drift[] {
  const drift = <Name extends keyof ContainerSettings>(setting: Name): Drift[] =>
    wanted[setting] === found[setting] ? [] : [{ setting, wanted: wanted[setting], found: found[setting] }];
  return [...drift("cores"), ...drift("memoryMiB"), ...drift("diskGiB"), ...drift("onBoot"), ...drift("protection")];
}
