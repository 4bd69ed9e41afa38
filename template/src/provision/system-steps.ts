import { guestPaths, guestUser } from "@berth/protocol";
import { debianPackages } from "../packages.ts";
import { ownerIds } from "../payload/entry.ts";
import { templatePaths } from "../payload/paths.ts";
import type { Step } from "./shell.ts";

/** `uname -m` of the machines that the payload's programs run on. */
function machine(): string {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}

/** Whether this is a place where the rest can work; the payload must have been unpacked before. */
export const checkStep: Step = {
  name: "check",
  script: `
[ "$(id -u)" = 0 ] || die 'this must run as root'
# shellcheck source=/dev/null
. /etc/os-release
[ "$ID $VERSION_ID" = 'debian 12' ] || die "this is $PRETTY_NAME; a template is made from Debian 12"
[ "$(uname -m)" = ${machine()} ] || die "the programs to install are for ${machine()}, and this is $(uname -m)"
[ -e /${guestPaths.programs}/launch.mjs ] || die 'unpack the payload first'
node_version=$(/${templatePaths.node} --version) || die 'the Node of the machine that packed the payload does not run here: use an official build of Node'
case "$node_version" in v22.*) ;; *) die "the payload has Node $node_version, and a template has Node 22: pack it, or run Berth, with that" ;; esac
`,
};

/** Debian's packages. What was never installed comes with the updates of the rest. */
export const packagesStep: Step = {
  name: "packages",
  script: String.raw`
wanted='${debianPackages.join(" ")}'
# shellcheck disable=SC2086 # Names of packages, one word each.
there=" $(installed $wanted | cut -d' ' -f1 | tr '\n' ' ')"
missing=
for package in $wanted; do
  case "$there" in *" $package "*) ;; *) missing="$missing $package" ;; esac
done
[ -n "$missing" ] || return 0
cat >/etc/dpkg/dpkg.cfg.d/berth <<'END'
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
END
apt_update || die 'the Debian mirrors of /etc/apt/sources.list cannot be reached'
apt upgrade
# shellcheck disable=SC2086 # Names of packages, one word each.
apt install $missing || die "these could not be installed:$missing"
`,
};

/** The one person of a sandbox. Nobody has a password, root included: keys and sudo are the ways in. */
export const userStep: Step = {
  name: "user",
  script: `
taken=$(getent passwd ${ownerIds.berth} | cut -d: -f1)
[ -z "$taken" ] || [ "$taken" = ${guestUser} ] || die "the user id ${ownerIds.berth} belongs to $taken"
if [ -z "$taken" ]; then
  useradd --uid ${ownerIds.berth} --user-group --no-create-home --home-dir /home/${guestUser} --shell /bin/bash ${guestUser}
fi
usermod --shell /bin/bash --append --groups sudo ${guestUser}
if getent group docker >/dev/null; then usermod --append --groups docker ${guestUser}; fi
# "*" and not "!": sshd takes the latter for an account that is locked, for keys too.
usermod --password '*' ${guestUser}
usermod --password '*' root
for file in .bashrc .profile; do
  [ -e "/home/${guestUser}/$file" ] || die "the payload lacks /home/${guestUser}/$file"
done
chown --no-dereference ${guestUser}:${guestUser} /home/${guestUser} /${guestPaths.workspace}
visudo -c -q || die 'the rules of sudo are not valid'
`,
};

/** What starts by itself. Nothing is stopped or started now: this very connection may be one of it. */
export const servicesStep: Step = {
  name: "services",
  script: `
systemctl --quiet enable ssh.service
systemctl --quiet disable ssh.socket 2>/dev/null || true
if [ -e /lib/systemd/system/docker.socket ]; then
  # The engine starts when something speaks to its socket.
  systemctl --quiet disable docker.service containerd.service 2>/dev/null || true
  systemctl --quiet enable docker.socket
fi
`,
};
