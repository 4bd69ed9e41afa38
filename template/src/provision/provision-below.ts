import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../command.ts";
import type { ProvisionOptions } from "./options.ts";
import { provisionScript } from "./provision-script.ts";

export interface ProvisionBelowOptions extends ProvisionOptions {
  /** The owner of the tree on this machine, 100000 where an unprivileged container's root is that; 0 by default. */
  readonly idOffset?: number;
  /** Gets every line that the script and its programs print; `parseProvisionLine` knows the script's own. */
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs the provisioning script in a chroot: below this folder is a Debian 12 with the payload laid out. Needs root.
 * Throws `CommandFailed` with what it said last.
 */
export async function provisionBelow(root: string, options: ProvisionBelowOptions): Promise<void> {
  const resolver = join(root, "etc/resolv.conf");
  // The machine's own names of servers, for what has to be fetched; a container gets its own at its start.
  await rm(resolver, { force: true });
  await copyFile("/etc/resolv.conf", resolver).catch(() => {});
  const shift = options.idOffset ?? 0;
  const inside = ["chroot", root, "/bin/sh", "-s"];
  const contained = [...apart, "--", "sh", "-c", mounts, "sh", root, ...inside];
  const command = shift === 0 ? contained : ["lxc-usernsexec", ...idMap(shift), "--", ...contained];
  const [name = "", ...args] = command;
  try {
    await runCommand(name, args, {
      input: provisionScript(options),
      report: options.report,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } finally {
    await rm(resolver, { force: true });
  }
}

/** Mounts and processes of its own, which end with it whatever happens to this one. */
const apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"];

/** What programs expect to find: somewhere for what they put into /run, the machine's devices, and themselves. */
const mounts =
  'root=$1; shift; mount -t tmpfs tmpfs "$root/run" && mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" && exec "$@"';

/** The ids of an unprivileged container. */
function idMap(offset: number): readonly string[] {
  return ["-m", `u:0:${offset}:65536`, "-m", `g:0:${offset}:65536`];
}
