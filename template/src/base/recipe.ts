import { debianPackages, dpkgExclusions } from "../packages.ts";
import { fetchedParts } from "../provision/options.ts";
import { fetchScript } from "../provision/provision-script.ts";

/** Everything that makes one base differ from another. */
export interface Recipe {
  /** Of mmdebstrap, but for the hook. */
  readonly args: readonly string[];
  /** A program that is run with the root's path when the packages are there. */
  readonly hook: string;
}

/** How the base is made; Debian 12 is `bookworm`. */
export function recipe(mirror: string | undefined): Recipe {
  const args = [
    "--variant=minbase",
    "--mode=root",
    "--format=tar",
    `--architectures=${process.arch === "x64" ? "amd64" : process.arch}`,
    // The tarball is thrown away if the machine dies meanwhile.
    "--dpkgopt=force-unsafe-io",
    ...dpkgExclusions.map((line) => `--dpkgopt=${line}`),
    `--include=${debianPackages.join(",")}`,
    "bookworm",
    // The tarball goes to standard output.
    "-",
  ];
  return { args: mirror === undefined ? args : [...args, mirror], hook };
}

/**
 * Docker and the like are in the base where they can be had, so that no template has to fetch them again. The network
 * is networkd's, as what makes containers of this base configures that. Nothing may be the same in two containers.
 */
const hook = `#!/bin/sh
set -eu
systemctl --quiet --root="$1" enable systemd-networkd.service
chroot "$1" /bin/sh -s <<'BERTH_FETCH'
${fetchScript(fetchedParts)}BERTH_FETCH
rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/lib/dbus/machine-id
: >"$1"/etc/machine-id
`;
