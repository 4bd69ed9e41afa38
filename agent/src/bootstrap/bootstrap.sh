#!/bin/sh
# The SSH subsystem of a fresh clone: the lines of a request in (`bootstrapRequestText` of packages/protocol), one line
# of JSON out, a `bootstrapResult` or `{"error": …}`. Many clones come up at once on few processors, and the start of
# Node would be most of what each of them takes; so this is a shell, and does itself whatever needs no process.
#
# It makes the clone the sandbox that the controller means. Nothing changes before the whole request is there. Each
# file is replaced atomically or left alone, so that a bootstrap that was killed anywhere is run again from the start;
# until it has answered, the controller accepts the bootstrap host key or the sandbox's own. Of several at a time one
# works, and the others wait.
#
# The order matters: the keys that may sign in come before the host key, since the key that signed in now is taken back
# with them; the agent's configuration comes last of the files, since the agent starts once it is there, and by then
# the bootstrap host key must be gone.
#
# Gone means that no name leads to it any more: the file of the new key took its place. Overwriting it first could leave
# a container without any host key, and would hide nothing: a clone shares the template's blocks or layers, which only
# the node can read, and there lies the template itself.
#
# BERTH_ROOT names the folder where a container is just a folder and processes; otherwise this is a container with
# systemd, and runs as root.
set -uC
export LC_ALL=C
root=${BERTH_ROOT:-}
user=berth
newline='
'

hostname_file=$root/etc/hostname
hosts_file=$root/etc/hosts
keys_file=$root/etc/ssh/berth_authorized_keys
host_key_file=$root/etc/ssh/ssh_host_ed25519_key
certificate_file=$host_key_file-cert.pub
config_file=$root/etc/berth/agent.json

# Ends with an error, whose words are this program's own and need no quoting.
fail() {
  printf '{"error":"%s"}\n' "$1"
  exit 1
}

# Takes the request from standard input; fails if it is cut short or not one.
read_request() {
  hostname='' authorized_keys='' host_key='' public_key='' agent='' certificate='' line=''
  IFS= read -r line
  [ "$line" = 'berth-bootstrap 1' ] || fail 'the bootstrap request is not valid'
  while IFS= read -r line; do
    case $line in
      'hostname '*) hostname=${line#* } ;;
      'authorized-key '*) authorized_keys=$authorized_keys${line#* }$newline ;;
      'host-key '*) host_key=$host_key${line#* }$newline ;;
      'host-key-public '*) public_key=${line#* } ;;
      'agent '*) agent=${line#* } ;;
      end)
        read_addition
        return
        ;;
      *) fail 'the bootstrap request is not valid' ;;
    esac
  done
  fail 'the bootstrap request is cut short'
}

# What came into the request later; controllers of before do not send it.
read_addition() {
  IFS= read -r line || [ -n "$line" ] || return 0
  case $line in
    'host-certificate '*) certificate=${line#* } ;;
    *) fail 'the bootstrap request is not valid' ;;
  esac
  { IFS= read -r line && [ "$line" = end ]; } || fail 'the bootstrap request is cut short'
}

# The sender has checked all of it by its schema. Here is looked at what would lock people out, or the agent.
check_request() {
  case $hostname in '' | -* | *- | *[!a-z0-9-]*) fail 'the bootstrap request is not valid: hostname' ;; esac
  [ ${#hostname} -le 63 ] || fail 'the bootstrap request is not valid: hostname'
  [ -n "$authorized_keys" ] || fail 'the bootstrap request is not valid: authorized-key'
  case $host_key in
    '-----BEGIN OPENSSH PRIVATE KEY-----'"$newline"*"$newline"'-----END OPENSSH PRIVATE KEY-----'"$newline") ;;
    *) fail 'the bootstrap request is not valid: host-key' ;;
  esac
  case $public_key in 'ssh-ed25519 AAAA'*) ;; *) fail 'the bootstrap request is not valid: host-key-public' ;; esac
  case $certificate in '' | 'ssh-ed25519-cert-v01@openssh.com AAAA'*) ;; *)
    fail 'the bootstrap request is not valid: host-certificate' ;;
  esac
  case $agent in '{"'*'}') ;; *) fail 'the bootstrap request is not valid: agent' ;; esac
}

read_machine_id() {
  machine_id=''
  [ -f "$root/etc/machine-id" ] && IFS= read -r machine_id <"$root/etc/machine-id"
  case $machine_id in *[!0-9a-f]*) machine_id='' ;; esac
  [ ${#machine_id} = 32 ] || fail 'the container has no machine-id yet'
}

read_agent_version() {
  agent_version=''
  [ -f "$root/usr/lib/berth/version" ] && IFS= read -r agent_version <"$root/usr/lib/berth/version"
  case $agent_version in '' | *[!0-9A-Za-z.+-]*) fail 'the container has no agent' ;; esac
}

# Whether a file has these contents, which end with a newline. Asking another program would cost more.
holds() {
  [ -f "$1" ] || return 1
  contents=''
  while IFS= read -r line; do contents=$contents$line$newline; done <"$1"
  [ "$contents$line" = "$2" ]
}

# stage FILE MASK CONTENTS: writes beside a file what is to take its place, unless it is there already.
stage() {
  holds "$1" "$3" && return
  umask 077
  [ -d "${1%/*}" ] || mkdir -p "${1%/*}" || fail "the folder of /${1#"$root"/} could not be made"
  umask "$2"
  printf %s "$3" >"$1.tmp" || fail "/${1#"$root"/} could not be written"
}

# Has the disk keep what was staged for these files before it takes a place.
sync_staged() {
  for file; do
    shift
    [ ! -f "$file.tmp" ] || set -- "$@" "$file.tmp"
  done
  [ $# = 0 ] || sync "$@" || fail 'the files could not be made durable'
}

# Puts what was staged for these files in their places, in this order, and makes it last.
install_staged() {
  staged=no
  for file; do
    [ -f "$file.tmp" ] || continue
    mv -fT "$file.tmp" "$file" || fail "/${file#"$root"/} could not be replaced"
    staged=yes
  done
  [ $staged = no ] || sync "$root/etc" "${file%/*}" || fail 'the files could not be made durable'
}

# Names the running container, and stages its name for later boots. In a folder the name is the machine's own.
stage_hostname() {
  stage "$hostname_file" 022 "$hostname$newline"
  [ -z "$root" ] || return 0
  # Proxmox has named it mostly.
  IFS= read -r current </proc/sys/kernel/hostname
  [ "$current" = "$hostname" ] || hostname "$hostname" || fail 'the container could not be named'
  stage_hosts
}

# Stages /etc/hosts with the container's name in it, where Debian has it: without it, `sudo` waits for a name server.
# A line that another tool wrote, as Proxmox does between marks of its own, is enough.
stage_hosts() {
  kept='' named=no former=no line=''
  if [ -f "$hosts_file" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in
        127.0.1.1[[:space:]]*)
          former=yes
          continue
          ;;
      esac
      kept=$kept$line$newline
      case "${line%%#*} " in *[[:space:]]"$hostname"[[:space:]]*) named=yes ;; esac
    done <"$hosts_file"
  fi
  [ $named$former != yesno ] || return 0
  [ $named = yes ] || kept="${kept}127.0.1.1	$hostname$newline"
  stage "$hosts_file" 022 "$kept"
}

# Reads into `pid` what a file says; fails if that is no process that may be signalled.
read_pid() {
  pid=''
  [ -f "$1" ] && IFS= read -r pid <"$1"
  case $pid in '' | 0 | 1 | *[!0-9]*) return 1 ;; esac
}

# Makes the SSH server read its host key and certificate again; sessions that are open go on.
reload_ssh() {
  read_pid "$root/run/sshd.pid" && kill -s HUP "$pid" && return
  [ -n "$root" ] || systemctl try-reload-or-restart ssh.service || fail 'the SSH server could not be reloaded'
}

# Starts the agent, with the PTY host that its unit wants, or restarts one that runs with another configuration. Nobody
# waits here for it: its hello says that it runs, and the controller awaits that anyway.
start_agent() {
  if [ -z "$root" ]; then
    systemctl --no-block "$1" berth-agent.service || fail 'the agent could not be started'
  elif ! { read_pid "$root/run/init.pid" && kill -s HUP "$pid"; }; then
    fail "the container's init process is not running"
  fi
}

read_request
check_request
read_machine_id
read_agent_version

# Of several at a time one works. The kernel releases this however it ends.
[ -d "$root/etc/ssh" ] || fail 'the container has no SSH server'
exec 9<"$root/etc/ssh"
flock -w 20 9 || fail 'another bootstrap does not end'

set -- "$hostname_file" "$hosts_file" "$keys_file" "$host_key_file" "$host_key_file.pub" "$certificate_file"
for file in "$@" "$config_file"; do
  # What a bootstrap that was killed has left.
  [ ! -e "$file.tmp" ] || rm -f "$file.tmp" || fail "/${file#"$root"/}.tmp could not be removed"
done

stage_hostname
stage "$keys_file" 022 "$authorized_keys"
stage "$host_key_file" 077 "$host_key"
stage "$host_key_file.pub" 022 "$public_key$newline"
[ -z "$certificate" ] || stage "$certificate_file" 022 "$certificate$newline"
stage "$config_file" 077 "{\"machineId\":\"$machine_id\",${agent#?}$newline"
sync_staged "$@" "$config_file"
install_staged "$@"
reload_ssh
action=start
if [ -f "$config_file.tmp" ]; then
  action=restart
  [ -n "$root" ] || chown -h "$user:" "${config_file%/*}" "$config_file.tmp" || fail "the container has no user $user"
  install_staged "$config_file"
fi
exec 9<&-
start_agent $action
certified=false
[ -z "$certificate" ] || certified=true
printf '{"machineId":"%s","agentVersion":"%s","hostCertificate":%s}\n' "$machine_id" "$agent_version" $certified
