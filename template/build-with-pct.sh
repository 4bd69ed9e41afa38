#!/usr/bin/env bash
# Makes Berth's template on a Proxmox VE host, from what `npm run pack -w @berth/template` wrote. See README.md.
set -euo pipefail

vmid=150
storage=
bridge=vmbr0
vlan=
disk_gib=8
image=
folder=

usage() {
  cat <<'HELP'
Usage: ./build-with-pct.sh [OPTION...] FOLDER

Run as root on a Proxmox VE host. FOLDER holds payload.tar and provision.sh, which
`npm run pack -w @berth/template -- FOLDER` wrote on the controller's machine.

  --vmid N        id of the template (150); nothing may have it yet
  --storage NAME  where its disk lies; one that can make linked clones (LVM-thin, ZFS, Ceph, btrfs)
  --bridge NAME   bridge of its network card, which gets an address by DHCP (vmbr0)
  --vlan N        VLAN tag of that card (none)
  --disk GIB      size of its disk, which sandboxes may only exceed (8)
  --image VOLUME  Debian 12's archive, as in `pveam list`; by default the newest, downloaded to "local" if need be

It makes an unprivileged container with the feature nesting, installs everything from the internet, shows that a Docker
container runs in it, and converts it into a template. A container that failed is left as it is, to be looked at.
HELP
}

fail() {
  echo "build-with-pct.sh: $1" >&2
  exit "${2:-1}"
}

read_options() {
  while [ $# -gt 0 ]; do
    case "$1" in
      -h | --help)
        usage
        exit 0
        ;;
      --vmid | --storage | --bridge | --vlan | --disk | --image)
        [ $# -ge 2 ] || fail "$1 needs a value; see --help" 2
        case "$1" in
          --vmid) vmid=$2 ;;
          --storage) storage=$2 ;;
          --bridge) bridge=$2 ;;
          --vlan) vlan=$2 ;;
          --disk) disk_gib=$2 ;;
          --image) image=$2 ;;
        esac
        shift 2
        ;;
      -*) fail "$1 is not an option; see --help" 2 ;;
      *)
        [ -z "$folder" ] || fail "one folder is enough; see --help" 2
        folder=$1
        shift
        ;;
    esac
  done
  [ -n "$folder" ] || fail "the folder is missing; see --help" 2
  [ -n "$storage" ] || fail "--storage is missing: pvesm status --content rootdir lists them" 2
  [[ "$vmid" =~ ^[1-9][0-9]{2,8}$ ]] || fail "--vmid $vmid is not an id" 2
  [[ "$disk_gib" =~ ^[1-9][0-9]*$ ]] || fail "--disk $disk_gib is not a number of GiB" 2
}

check_host() {
  [ "$(id -u)" = 0 ] || fail "this must run as root"
  command -v pct >/dev/null || fail "there is no pct: this runs on a Proxmox VE host"
  local file
  for file in payload.tar provision.sh; do
    [ -r "$folder/$file" ] || fail "there is no $folder/$file: npm run pack -w @berth/template writes it"
  done
  if pct status "$vmid" >/dev/null 2>&1; then
    fail "$vmid is taken: choose another id with --vmid, and tell the controller by BERTH_TEMPLATE_VMID"
  fi
}

# The newest archive of Debian 12 that is there, or one that can be downloaded.
find_image() {
  [ -z "$image" ] || return 0
  image=$(pveam list local | awk '/vztmpl\/debian-12-standard_/ { print $1 }' | sort -V | tail -n 1)
  [ -z "$image" ] || return 0
  pveam update >/dev/null
  local name
  name=$(pveam available --section system | awk '/debian-12-standard_/ { print $2 }' | sort -V | tail -n 1)
  [ -n "$name" ] || fail "pveam offers no debian-12-standard: download one and name it with --image"
  pveam download local "$name"
  image=local:vztmpl/$name
}

create() {
  local card="name=eth0,bridge=$bridge,ip=dhcp"
  [ -z "$vlan" ] || card+=",tag=$vlan"
  pct create "$vmid" "$image" --unprivileged 1 --features nesting=1 --ostype debian --hostname berth-template \
    --cores 2 --memory 2048 --swap 512 --net0 "$card" --rootfs "$storage:$disk_gib"
}

inside() {
  pct exec "$vmid" -- "$@"
}

await_network() {
  local tries=60
  until inside getent hosts deb.debian.org >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "the container $vmid does not reach the internet: look at its address with: pct exec $vmid -- ip address"
    sleep 1
  done
}

provision() {
  inside tar --extract --file=- --directory=/ --same-permissions --same-owner --numeric-owner \
    --keep-directory-symlink <"$folder/payload.tar"
  inside sh -s <"$folder/provision.sh" || fail "it could not be provisioned: the last lines say why. To remove it: pct destroy $vmid --force"
}

# The controller's console says by it which version this is, and whether a newer one can be built.
describe_contents() {
  local contents
  contents=$(inside base64 --wrap=0 /etc/berth/template.json)
  pct set "$vmid" --description "Berth's template: sandboxes are cloned from it.

berth-template-contents:$contents"
}

read_options "$@"
check_host
find_image
create
pct start "$vmid"
await_network
provision
describe_contents
pct shutdown "$vmid" --forceStop 1
pct template "$vmid"
echo "$vmid is the template now. Remove $folder: provision.sh holds a key."
