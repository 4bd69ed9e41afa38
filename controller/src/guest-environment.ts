import type { Environment } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { AgentRegistry } from "./agents/registry.ts";
import type { Cluster } from "./cluster/open.ts";
import type { SandboxModule } from "./sandboxes/module.ts";
import type { Settings } from "./settings/settings.ts";
import type { Store } from "./store/connect.ts";

interface ClaudeSources {
  readonly settings: Settings;
  readonly cluster: Cluster;
}

interface EnvironmentSources extends ClaudeSources {
  readonly fleet: Pick<SandboxModule, "sandboxes">;
}

/** What every terminal has in its environment: the Claude credential, and where the API is. */
export function claudeEnvironment({ settings, cluster }: ClaudeSources): Environment {
  const { claude, anthropicBaseUrl } = settings;
  return {
    ...(claude ? { [claude.variable]: claude.value } : {}),
    ...(anthropicBaseUrl === undefined ? {} : { ANTHROPIC_BASE_URL: cluster.fromContainers(anthropicBaseUrl) }),
  };
}

/** The same with what the owner has set for a sandbox. */
export async function environmentOf(sources: EnvironmentSources, sandboxId: string): Promise<Environment> {
  const row = await sources.fleet.sandboxes.find(sandboxId);
  return { ...claudeEnvironment(sources), ...row?.env };
}

/** Gives a connected agent its sandbox's environment as it is now; one that is away asks when it comes back. Never rejects. */
export async function tellEnvironment(
  sources: EnvironmentSources & { readonly registry: AgentRegistry; readonly log: FastifyBaseLogger },
  sandboxId: string,
): Promise<void> {
  try {
    const env = await environmentOf(sources, sandboxId);
    await sources.registry.get(sandboxId)?.call("setEnvironment", { env });
  } catch (error) {
    sources.log.warn({ sandboxId, err: error }, "an agent could not be told its environment");
  }
}

/** The SSH keys that a user has registered. */
export async function publicKeysOf(store: Store, userId: string): Promise<string[]> {
  const keys = await store.db.selectFrom("ssh_keys").select("public_key").where("user_id", "=", userId).execute();
  return keys.map(({ public_key: key }) => key);
}
