import { guestPaths } from "@berth/protocol";

/** Where the template puts what only it knows of, relative to a container's root. */
export const templatePaths = {
  /** Berth's own Node: what the user installs beside it, or over `/usr/bin/node`, does not reach the agent. */
  node: `${guestPaths.programs}/node/bin/node`,
  /** What V8 made of the programs' sources when the template was built: their starts take less. Root's, for all to read. */
  compiled: `${guestPaths.programs}/compiled`,
  npm: `${guestPaths.programs}/node/lib/node_modules/npm`,
  claude: "usr/bin/claude",
  /** Version of the template, and what could not be installed: `templateFactsSchema`. */
  facts: "etc/berth/template.json",
  proveDocker: `${guestPaths.programs}/prove-docker`,
} as const;
