import type { NetworkNames } from "./names.ts";

/**
 * What LXC runs for a card that comes up, also after a reboot from inside when no emulator runs: its fifth word is the
 * machine's end of the card, which goes into the namespace and onto the bridge. A port of the same name may linger there
 * for a moment after a stop. Nothing passes before the port is isolated from the others.
 */
export function portScript({ namespace, namespacePath, bridge }: NetworkNames): string {
  return `#!/bin/sh
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
port=$5
nsenter --net=${namespacePath} ip link del dev "$port" 2>/dev/null || true
ip link set dev "$port" netns ${namespace}
nsenter --net=${namespacePath} ip -batch - <<END
${portCommands("$port", bridge).join("\n")}
END
`;
}

/** Lines for `ip -batch` that put an interface onto the bridge. */
export function portCommands(port: string, bridge: string): readonly string[] {
  return [
    `link set dev ${port} master ${bridge}`,
    `link set dev ${port} type bridge_slave isolated on`,
    `link set dev ${port} up`,
  ];
}
