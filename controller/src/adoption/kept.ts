import {
  agentConfigSchema,
  type Environment,
  guestPaths,
  idSchema,
  parseJson,
  type TerminalRecord,
  terminalRegistrySchema,
} from "@berth/protocol";
import { Value } from "typebox/value";
import type { SshConnection } from "../bootstrap/connect.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { answerTo } from "../ssh/guest-place.ts";

/** What an adopted sandbox still knows of itself. */
export interface Kept {
  /** What its owner had set; undefined where its agent's configuration is not there, or not this sandbox's. */
  readonly env: Environment | undefined;
  readonly terminals: ReadonlyMap<string, TerminalRecord>;
}

/** Either file: the largest environment that a sandbox may have, and the commands of its terminals. */
const maxFileBytes = 512 * 1024;
/** What the fleet sets by itself. Were it taken for the owner's, an old credential would outlive the new one. */
const ofFleet: ReadonlySet<string> = new Set([
  "CLAUDE_CODE_OAUTH_TOKEN",
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_AUTH_TOKEN",
  "ANTHROPIC_BASE_URL",
  "BERTH_SANDBOX",
]);

/** Whether a sandbox was adopted, and its agent was given no other configuration since. */
export function isJustAdopted(row: Pick<SandboxRow, "host_key_fingerprint" | "agent_secret_hash">): boolean {
  return row.host_key_fingerprint !== null && row.agent_secret_hash === null;
}

/**
 * Reads what an adopted sandbox still knows of itself: the sandbox's own word, which counts for itself alone. Rejects,
 * and ends the connection, when that is cut or does not answer.
 */
export async function readKept(connection: SshConnection, sandboxId: string): Promise<Kept> {
  const config = parseJson(await read(connection, guestPaths.agentConfig));
  const isOwn = Value.Check(agentConfigSchema, config) && config.sandboxId === sandboxId;
  const registry = parseJson(await read(connection, guestPaths.terminalRegistry));
  const isItsRegistry = Value.Check(terminalRegistrySchema, registry) && registry.sandboxId === sandboxId;
  const terminals = isItsRegistry ? Object.entries(registry.terminals) : [];
  return {
    env: isOwn ? Object.fromEntries(Object.entries(config.env).filter(([name]) => !ofFleet.has(name))) : undefined,
    terminals: new Map(terminals.filter(([id]) => Value.Check(idSchema, id))),
  };
}

/** Where containers are processes, the variable names the folder that is the root. */
function read(connection: SshConnection, path: string): Promise<string> {
  return answerTo(connection, `cat "$BERTH_ROOT/${path}"`, maxFileBytes);
}
