# shellcheck shell=bash
# Sourced by the scripts after node.sh: what a fresh checkout needs before anything of it can run. Quiet when all is there.

berth_say() { printf 'berth: %s\n' "$*" >&2; }

# Makes sure that these commands exist: berth_need_commands COMMAND=PACKAGE …
# As root on a Debian they are installed; elsewhere one line says what to install.
berth_need_commands() {
  local pair missing=()
  for pair in "$@"; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    berth_say "installing ${missing[*]} (apt)"
    export DEBIAN_FRONTEND=noninteractive
    berth_apt_install "${missing[@]}" || { apt-get update -q >/dev/null && berth_apt_install "${missing[@]}"; } || {
      berth_say "apt-get could not install ${missing[*]}: see above."
      return 1
    }
    # Sandboxes run an sshd and have a network of their own; nobody asked for either on the machine itself.
    case " ${missing[*]} " in
      *" openssh-server "*) systemctl disable --now ssh.service ssh.socket >/dev/null 2>&1 || true ;;
    esac
    case " ${missing[*]} " in
      *" lxc "*) systemctl disable --now lxc-net.service >/dev/null 2>&1 || true ;;
    esac
  else
    berth_say "these are missing; install them and run this again:  sudo apt-get install ${missing[*]}"
    return 1
  fi
}

# What real containers of the bundled Proxmox need. Only root can run them; the rest of the choice is the emulator's.
# Fails when they cannot be had, having said why.
berth_need_containers() {
  [ "$(berth_setting BERTH_BACKEND)" != process ] && [ -z "$(berth_setting PROXMOX_URL)" ] || return 0
  [ "$(id -u)" = 0 ] && [ "$(uname -s)" = Linux ] || return 0
  berth_need_commands lxc-start=lxc mmdebstrap=mmdebstrap dnsmasq=dnsmasq-base nft=nftables ip=iproute2 rsync=rsync \
    zstd=zstd mkfs.ext4=e2fsprogs ssh-keygen=openssh-client || return 1
}

# The value of a setting: of the environment, or of the file that BERTH_CONFIG names.
berth_setting() {
  local value=${!1:-}
  if [ -z "$value" ] && [ -r "${BERTH_CONFIG:-}" ]; then
    value=$(sed -n "s/^[[:space:]]*\(export[[:space:]]\+\)\?$1=[\"']\?\([^\"'#[:space:]]*\).*/\2/p" "$BERTH_CONFIG" | tail -n 1)
  fi
  printf '%s' "$value"
}

berth_apt_install() {
  apt-get install -y -q --no-install-recommends "$@" >/dev/null
}

# Installs the packages of the lock file, if that was not done for this very file.
berth_install() {
  local stamp=node_modules/.berth-installed want
  want=$(sha256sum package-lock.json | cut -d' ' -f1)-$("$BERTH_NODE" -p process.versions.modules)
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return 0
  berth_say "installing packages (npm; this takes a minute, once)"
  npm ci --no-audit --no-fund --loglevel=error >&2 || {
    berth_say "npm could not install the packages: check the network and run this again."
    return 1
  }
  printf '%s' "$want" >"$stamp"
}

# Builds everything, or what the emulator or the command line needs alone, if a source is newer than the last build. Of several starts at
# once one builds, and the others wait for it.
berth_build() {
  local what=${1:-all} sources built command
  sources=(package-lock.json {agent,template}/src packages/{base,protocol,pve-emulator}/src {agent,template,packages/pve-emulator}/package.json)
  built=(agent/dist/{launch.mjs,agent.mjs,pty-host.mjs,bootstrap.sh,version} packages/pve-emulator/dist/{main,init}.mjs)
  command=(npm run build -w @berth/agent -w @berth/pve-emulator)
  if [ "$what" = all ]; then
    sources+=({controller,web}/src packages/{proxmox,sync,cli}/src web/index.html web/public {controller,web,packages/cli}/package.json)
    built+=(controller/dist/main.mjs web/dist/index.html packages/cli/dist/berth.mjs)
    command=(npx turbo run build --log-prefix=task)
  elif [ "$what" = cli ]; then
    sources=(package-lock.json packages/{base,protocol,sync,cli}/src packages/cli/package.json)
    built=(packages/cli/dist/berth.mjs)
    command=(npm run build -w @berth/cli)
  fi
  exec 9>node_modules/.berth-build-lock
  flock 9
  berth_build_if_newer "node_modules/.berth-built-$what"
  exec 9>&-
}

# With `sources`, `built` and `command` of its caller.
berth_build_if_newer() {
  local stamp=$1 file log whole=1
  for file in "$stamp" "${built[@]}"; do [ -f "$file" ] || whole=0; done
  if [ $whole = 1 ] && [ -z "$(find "${sources[@]}" -newer "$stamp" -type f -print -quit)" ]; then return 0; fi
  berth_say "building"
  log=$(mktemp)
  # A source that changes during the build is newer than the stamp, and so built the next time.
  touch "$stamp.begun"
  if ! "${command[@]}" >"$log" 2>&1 9>&-; then
    cat "$log" >&2
    rm -f "$log"
    berth_say "the build failed: see above."
    return 1
  fi
  rm -f "$log"
  mv "$stamp.begun" "$stamp"
}
