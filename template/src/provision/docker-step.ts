import { guestUser } from "@berth/protocol";
import { templatePaths } from "../payload/paths.ts";
import { type DockerRelease, dockerReleases, dockerRepository } from "./docker-releases.ts";
import type { Step } from "./shell.ts";

/** What else of Docker's the steps below call. */
const functions = String.raw`
docker_packages='docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin'

add_docker_repository() {
  mkdir -p /etc/apt/keyrings
  key_file=/etc/apt/keyrings/docker.asc
  curl -fsS --connect-timeout 5 --max-time 60 -o "$key_file" ${dockerRepository.url}/gpg || return 1
  chmod 644 "$key_file"
  gpg_home=$(mktemp -d)
  found=$(gpg --homedir "$gpg_home" --batch --show-keys --with-colons "$key_file" | sed -n 's/^fpr:*\([0-9A-F]*\):*$/\1/p' | head -n 1)
  rm -rf "$gpg_home"
  [ "$found" = ${dockerRepository.key} ] || die "the key of Docker's repository is $found, and not the one that Berth knows"
  echo "deb [signed-by=$key_file] ${dockerRepository.url} bookworm stable" >/etc/apt/sources.list.d/docker.list
  apt_update
}

# The versions are pinned for apt, and held: an upgrade in a sandbox must not leave it with a Docker that cannot start.
install_docker() {
  engine=$1 containerd=$2 buildx=$3 compose=$4
  for package in "docker-ce docker-ce-cli:$engine" "containerd.io:$containerd" "docker-buildx-plugin:$buildx" "docker-compose-plugin:$compose"; do
    name=$(printf '%s' "$package" | cut -d: -f1)
    version=$(printf '%s' "$package" | cut -d: -f2-)
    printf 'Package: %s\nPin: version %s\nPin-Priority: 1001\n\n' "$name" "$version"
  done >/etc/apt/preferences.d/berth-docker
  # shellcheck disable=SC2086 # Names of packages, one word each.
  apt-mark unhold $docker_packages >/dev/null 2>&1 || true
  apt install --allow-downgrades "docker-ce=$engine" "docker-ce-cli=$engine" "containerd.io=$containerd" \
    "docker-buildx-plugin=$buildx" "docker-compose-plugin=$compose" || return 1
  # shellcheck disable=SC2086
  apt-mark hold $docker_packages >/dev/null
}

stop_docker() {
  is_booted || return 0
  systemctl stop docker.socket docker.service containerd.service 2>/dev/null || true
}

# Images and the identity of the engine: nothing of them may be in two sandboxes.
empty_docker() {
  stop_docker
  # They themselves may be places where something is mounted.
  find /var/lib/docker /var/lib/containerd -mindepth 1 -delete 2>/dev/null || true
}

# Whether the Docker that is installed can start a container; only a booted system can tell.
docker_works() {
  is_booted || return 0
  systemctl daemon-reload
  systemctl start docker.socket
  /${templatePaths.proveDocker}
}

try_docker() {
  install_docker "$@" || { empty_docker; return 1; }
  docker_works && return 0
  echo "berth-note: Docker $1 with containerd.io $2 starts no container here"
  empty_docker
  return 1
}

debian_docker() {
  there=$(installed docker.io | cut -d' ' -f2)
  if [ -z "$there" ]; then
    rm -f /etc/apt/sources.list.d/docker.list /etc/apt/preferences.d/berth-docker
    if ! { apt_update && apt install docker.io; }; then
      say_skipped docker "neither Docker's repository nor Debian's can be reached"
      return 0
    fi
    there=$(installed docker.io | cut -d' ' -f2)
  fi
  say_skipped docker-29 "Docker's repository could not be reached: Debian's own Docker $there is here instead"
}
`;

/** Installs Docker, or what there is instead, and tries it where that can be tried. */
export function dockerStep(optional: boolean): Step {
  const missing = optional
    ? "debian_docker\n  return 0"
    : "die 'https://download.docker.com cannot be reached: Docker is installed from there'";
  return {
    name: "docker",
    functions,
    script: `
case " $(installed docker-ce | cut -d' ' -f2) " in
${dockerReleases.map(({ engine }) => `  *' ${engine} '*) return 0 ;;`).join("\n")}
esac
${optional ? 'if [ -n "$(installed docker.io)" ]; then debian_docker; return 0; fi' : ""}
if ! add_docker_repository; then
  ${missing}
fi
${dockerReleases.map((release) => `try_docker ${versionsOf(release)} && return 0`).join("\n")}
die 'no version of Docker starts a container here: the container needs the feature nesting=1, and the Proxmox host the package lxc-pve 6.0.5-2 or later (apt full-upgrade on the host)'
`,
  };
}

function versionsOf({ engine, containerd, buildx, compose }: DockerRelease): string {
  return [engine, containerd, buildx, compose].map((version) => `'${version}'`).join(" ");
}

/** Shows that the user of the sandbox can run a container, and takes every trace of Docker's use away. */
export const proveDockerStep: Step = {
  name: "prove-docker",
  script: `
[ -n "$(command -v dockerd)" ] || return 0
if ! is_booted; then
  echo 'berth-note: whether Docker starts a container is seen in a booted container only'
  empty_docker
  return 0
fi
systemctl daemon-reload
systemctl start docker.socket
runuser -u ${guestUser} -- /${templatePaths.proveDocker} || die 'Docker starts no container here: the container needs the feature nesting=1'
empty_docker
systemctl start docker.socket
`,
};
