# shellcheck shell=bash
# Sourced by the scripts: puts a Node 22 that is new enough first on PATH, fetching one by npm when the machine's is another:
# what runs Berth also goes into every template.
# Exports BERTH_NODE, the node executable. The npm package node-linux-* carries the official build, so no other host is asked.

BERTH_NODE_PIN=22.23.3

berth_node_fits() {
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a === 22 && b >= 18 ? 0 : 1)' 2>/dev/null
}

# The tools talk to nobody about themselves.
export npm_config_update_notifier=false TURBO_TELEMETRY_DISABLED=1 TURBO_NO_UPDATE_NOTIFIER=1

berth_use_node() {
  local found cache platform bin
  found=$(command -v node || true)
  if [ -n "$found" ] && berth_node_fits "$found"; then
    BERTH_NODE=$found
    export BERTH_NODE
    return 0
  fi
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=linux-x64 ;;
    Linux-aarch64) platform=linux-arm64 ;;
    *)
      echo "berth: Node 22 from 22.18 on is needed and this machine is neither Linux x86_64 nor aarch64: install Node 22 and run this again." >&2
      return 1
      ;;
  esac
  cache="${XDG_CACHE_HOME:-$HOME/.cache}/berth/node-v$BERTH_NODE_PIN-$platform"
  bin="$cache/node_modules/node-$platform/bin"
  if ! { [ -x "$bin/node" ] && berth_node_fits "$bin/node"; }; then
    if ! command -v npm >/dev/null; then
      echo "berth: neither Node 22.18 nor npm is on this machine. Install Node with npm (on Debian: apt-get install nodejs npm) and run this again." >&2
      return 1
    fi
    local reason="there is none on this machine"
    [ -z "$found" ] || reason="the machine's is $("$found" --version)"
    echo "berth: fetching Node $BERTH_NODE_PIN ($reason)" >&2
    mkdir -p "$cache"
    if ! npm install --prefix "$cache" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "node-$platform@$BERTH_NODE_PIN" >&2; then
      echo "berth: Node $BERTH_NODE_PIN could not be fetched from the npm registry: check the network, or install Node 22 by hand." >&2
      return 1
    fi
  fi
  # The package has no npm: a small launcher runs the machine's own npm under the new node.
  if [ ! -x "$bin/npm" ]; then
    local npm_cli
    npm_cli=$(readlink -f "$(command -v npm)")
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$bin/node" "$npm_cli" >"$bin/npm.$$"
    chmod +x "$bin/npm.$$"
    mv "$bin/npm.$$" "$bin/npm"
  fi
  PATH="$bin:$PATH"
  BERTH_NODE="$bin/node"
  export PATH BERTH_NODE
}
