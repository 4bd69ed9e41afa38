/**
 * Proves that a container runs and has a network, without any registry: its root is this system's own static busybox.
 * Leaves no image behind, and, where root runs it before Docker has ever been used, no engine with an identity either:
 * a template must not have one. Says what Docker said when it fails.
 */
export const proveDocker = `#!/bin/sh
# Proves that a Docker container starts here, without any registry. Exit status 0: it does.
set -eu
folder=$(mktemp -d)
image=berth-proof:$$
unused=
if [ "$(id -u)" = 0 ] && [ ! -d /var/lib/docker/containers ]; then unused=yes; fi
clean_up() {
  docker image rm --force "$image" >/dev/null 2>&1 || true
  rm -rf "$folder"
  [ -n "$unused" ] || return 0
  systemctl stop docker.socket docker.service containerd.service
  # What is in them and not they themselves: they may be places where something is mounted.
  find /var/lib/docker /var/lib/containerd -mindepth 1 -delete 2>/dev/null || true
  systemctl start docker.socket
}
trap clean_up EXIT

mkdir "$folder/root" "$folder/root/bin" "$folder/root/proc" "$folder/root/sys" "$folder/root/dev"
cp /bin/busybox "$folder/root/bin/busybox"
tar -C "$folder/root" -c . | timeout 120 docker import - "$image" >/dev/null
# shellcheck disable=SC2016 # The container's shell expands it.
said=$(timeout 60 docker run --rm "$image" /bin/busybox sh -c '/bin/busybox ip route && echo "ran in $(/bin/busybox hostname)"')
case "$said" in
  *'default via '*'ran in '*) ;;
  *) echo "the container has no network, or said something else: $said"; exit 1 ;;
esac
echo "Docker $(docker version --format '{{.Server.Version}}') ran a container (storage: $(docker info --format '{{.Driver}}'), runc: $(docker info --format '{{.RuncCommit.ID}}'))"
`;
