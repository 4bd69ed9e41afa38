import { existsSync, readFileSync } from "node:fs";
import type { RawLxcKey, ResourceLimits } from "../backend.ts";
import { limitKeys } from "./cgroups.ts";
import { type IdRange, idMapKeys } from "./id-range.ts";
import { rootfs, volumeSource, volumes } from "./start-script.ts";

const sharedConfig = "/usr/share/lxc/config";

export interface LxcConfigOptions {
  readonly hostname: string;
  readonly ids: IdRange;
  readonly limits: ResourceLimits;
  /** What lets Docker run inside. */
  readonly nesting: boolean;
  readonly networkKeys: readonly RawLxcKey[];
  /** Of the container's own configuration. */
  readonly rawKeys: readonly RawLxcKey[];
  /** A program that LXC runs when the container has ended. */
  readonly postStop: string;
}

/** LXC's configuration of a container, as Proxmox VE makes it for an unprivileged one. */
export function lxcConfig(options: LxcConfigOptions): string {
  const { hostname, ids, limits, nesting, networkKeys, rawKeys, postStop } = options;
  const keys: RawLxcKey[] = [
    ["lxc.include", `${sharedConfig}/common.conf`],
    ["lxc.include", `${sharedConfig}/userns.conf`],
    ["lxc.uts.name", hostname],
    ["lxc.rootfs.path", `dir:${rootfs}`],
    ...idMapKeys(ids),
    ...armourKeys(nesting),
    // The includes ask for a writable /sys, with which networkd waits for udev for ever.
    ["lxc.mount.auto", ""],
    ["lxc.mount.auto", "proc:mixed sys:mixed cgroup:mixed"],
    ...(nesting ? nestingKeys() : []),
    // Machines with control groups of version 1 too: systemd then uses version 2 for itself, as newer ones do alone.
    ["lxc.init.cmd", "/sbin/init systemd.unified_cgroup_hierarchy=1"],
    ["lxc.hook.post-stop", postStop],
    ...limitKeys(limits),
    ...networkKeys,
    ...rawKeys,
  ];
  return keys.map(([key, value]) => `${key} = ${value}\n`).join("");
}

/** AppArmor's profile: what LXC makes for the container, where the machine has AppArmor. */
function armourKeys(nesting: boolean): RawLxcKey[] {
  if (!hasAppArmor()) return [["lxc.apparmor.profile", "unconfined"]];
  return [
    ["lxc.apparmor.profile", "generated"],
    ["lxc.apparmor.allow_nesting", nesting ? "1" : "0"],
  ];
}

function hasAppArmor(): boolean {
  try {
    const enabled = readFileSync("/sys/module/apparmor/parameters/enabled", "utf8").trim() === "Y";
    return enabled && existsSync("/usr/sbin/apparmor_parser");
  } catch {
    return false;
  }
}

/** A /proc and a /sys that nothing covers, without which the kernel lets nobody inside mount their own; and volumes. */
function nestingKeys(): RawLxcKey[] {
  const ownVolumes = Object.entries(volumes).map(
    ([name, path]): RawLxcKey => ["lxc.mount.entry", `${volumeSource(name)} ${path} none bind,create=dir 0 0`],
  );
  return [
    ["lxc.mount.entry", "proc dev/.lxc/proc proc create=dir,optional 0 0"],
    ["lxc.mount.entry", "sys dev/.lxc/sys sysfs create=dir,optional 0 0"],
    ["lxc.mount.entry", "/dev/fuse dev/fuse none bind,create=file,optional 0 0"],
    ...ownVolumes,
  ];
}
