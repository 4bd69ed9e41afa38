import { guestFileWriter } from "./guest-files.ts";
import { asContainerRoot, type IdRange } from "./id-range.ts";

/**
 * LXC's own folder, which is there with LXC. In a container's mount namespace it is a small file system in memory with
 * the container's disk in it: every step of its path may be taken by the container's root, as LXC wants it, however
 * private the data folder is.
 */
export const lxcPath = "/var/lib/lxc";
const disk = `${lxcPath}/disk`;
export const rootfs = `${lxcPath}/rootfs`;

/**
 * Folders of a container that lie directly on its image instead of on the stack of layers, since Docker's overlays
 * cannot lie on an overlay: name on the image to the path in the container.
 */
export const volumes = { docker: "var/lib/docker", containerd: "var/lib/containerd" } as const;

export const volumeSource = (name: string): string => `${disk}/${name}`;

/** Where a mounted image is, in the mount namespace of the container's monitor. */
export const mountedImage = disk;

export interface Mounting {
  readonly image: string;
  /** Folders of the layers, the uppermost first. */
  readonly layers: readonly string[];
  readonly ids: IdRange;
  /** Of the disk: an image that does not tell it yet is a new copy. */
  readonly identity: string;
}

/**
 * Shell commands that mount a container's disk, with `guestFileWriter` as `$1` and the writer's files on the standard
 * input. They must run in a mount namespace of their own: the mounts go with its last process, whatever ends it.
 */
function mountCommands({ image, layers, ids, identity }: Mounting): string {
  const lower = layers.map(quoteOption).join(":");
  const own = `${ids.first}:${ids.first}`;
  return `
set -e
mount -t tmpfs -o mode=755,size=1m none ${lxcPath}
mkdir ${disk} ${rootfs}
mount -o loop,noatime,discard ${quote(image)} ${disk}
if ! [ -d ${disk}/upper ]; then
  mkdir -p ${disk}/new ${disk}/work
  chown ${own} ${disk}/new
  chmod 755 ${disk}/new
  mv ${disk}/new ${disk}/upper
fi
mount -t overlay overlay -o ${quote(`lowerdir=${lower},upperdir=${disk}/upper,workdir=${disk}/work,redirect_dir=on`)} ${rootfs}
${Object.entries(volumes)
  .map(([name, path]) => volumeCommands(name, path, own))
  .join("")}
cd ${rootfs}
if [ "$(cat ${disk}/identity 2>/dev/null)" != ${identity} ]; then export FRESH=1; fi
PATH=/usr/sbin:/sbin ${asContainerRoot(ids).join(" ")} /usr/bin/perl -e "$1"
if [ "$FRESH" ]; then
  echo ${identity} >${disk}/identity
  unset FRESH
fi
cd /
`;
}

/** Arguments of `unshare` that run more shell commands where a disk is mounted. The writer's files are the input. */
export function inMountedDisk(mounting: Mounting, commands: string, before = ""): readonly string[] {
  const script = `${before}${mountCommands(mounting)}${commands}`;
  return ["--mount", "--propagation", "private", "--", "/bin/sh", "-c", script, "sh", guestFileWriter];
}

/** Makes a volume on a fresh image, with what the template has there. Links are nobody's to follow here. */
function volumeCommands(name: string, path: string, own: string): string {
  const source = `${rootfs}/${path}`;
  const target = volumeSource(name);
  return `
if ! [ -d ${target} ]; then
  rm -rf ${target}.new
  mkdir -m 710 ${target}.new
  chown ${own} ${target}.new
  if [ -d ${source} ] && ! [ -L ${rootfs}/var ] && ! [ -L ${rootfs}/var/lib ] && ! [ -L ${source} ]; then
    cp -a ${source}/. ${target}.new/
  fi
  mv ${target}.new ${target}
fi
`;
}

/** A word of the shell. */
export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** A path in the list of an overlay's layers. */
const quoteOption = (path: string): string => path.replaceAll(/[\\:,]/g, "\\$&");
