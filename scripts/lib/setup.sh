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
    # Sandboxes run an sshd of their own; nobody asked for one on the machine itself.
    case " ${missing[*]} " in
      *" openssh-server "*) systemctl disable --now ssh.service ssh.socket >/dev/null 2>&1 || true ;;
    esac
  else
    berth_say "these are missing; install them and run this again:  sudo apt-get install ${missing[*]}"
    return 1
  fi
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

# Builds what is built, if any source is newer than the last build.
berth_build() {
  local stamp=node_modules/.berth-built
  if [ -f "$stamp" ] && [ -z "$(berth_newer_sources "$stamp")" ] && berth_is_built; then return 0; fi
  berth_say "building"
  local log
  log=$(mktemp)
  if ! npx turbo run build --log-prefix=task >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    berth_say "the build failed: see above."
    return 1
  fi
  rm -f "$log"
  touch "$stamp"
}

berth_is_built() {
  [ -f controller/dist/main.mjs ] && [ -f agent/dist/agent.mjs ] && [ -f packages/pve-emulator/dist/main.mjs ] && [ -f web/dist/index.html ]
}

berth_newer_sources() {
  find packages/*/src controller/src agent/src web/src web/index.html template/src package-lock.json \
    packages/*/package.json controller/package.json agent/package.json web/package.json template/package.json \
    -newer "$1" -type f -print -quit 2>/dev/null
}
