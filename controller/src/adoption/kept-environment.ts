import { agentConfigSchema, type Environment, guestPaths, parseJson } from "@berth/protocol";
import { Value } from "typebox/value";
import type { SshConnection } from "../bootstrap/connect.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { answerTo } from "../ssh/guest-place.ts";

/** An agent's configuration with the largest environment that a sandbox may have. */
const maxConfigBytes = 256 * 1024;
/** What the fleet sets by itself. Were it taken for the owner's, an old credential would outlive the new one. */
const ofFleet: ReadonlySet<string> = new Set([
  "CLAUDE_CODE_OAUTH_TOKEN",
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_AUTH_TOKEN",
  "ANTHROPIC_BASE_URL",
  "BERTH_SANDBOX",
]);

/**
 * Whether an environment may be left in the sandbox that its row does not know: it was adopted, and no agent was given
 * another configuration since, nor has anybody set an environment.
 */
export function mayKeepEnvironment(row: SandboxRow): boolean {
  const adopted = row.host_key_fingerprint !== null && row.agent_secret_hash === null;
  return adopted && Object.keys(row.env).length === 0;
}

/**
 * What its owner had set of an adopted sandbox's environment, as the agent's configuration there still says; undefined
 * where that is not this sandbox's, or not there. Rejects, and ends the connection, when that is cut or does not answer.
 */
export async function keptEnvironment(connection: SshConnection, sandboxId: string): Promise<Environment | undefined> {
  // Where containers are processes, the variable names the folder that is the root.
  const text = await answerTo(connection, `cat "$BERTH_ROOT/${guestPaths.agentConfig}"`, maxConfigBytes);
  const config = parseJson(text);
  if (!Value.Check(agentConfigSchema, config) || config.sandboxId !== sandboxId) return undefined;
  return Object.fromEntries(Object.entries(config.env).filter(([name]) => !ofFleet.has(name)));
}
