import type { Environment } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { AgentRegistry } from "./agents/registry.ts";
import { allDone } from "./all-done.ts";
import type { Cluster } from "./cluster/open.ts";
import type { SandboxModule } from "./sandboxes/module.ts";
import type { SandboxRow } from "./sandboxes/record.ts";
import type { Settings } from "./settings/settings.ts";
import type { AccessKeeper } from "./ssh/access-keeper.ts";
import type { Store } from "./store/connect.ts";

interface ClaudeSources {
  readonly settings: Settings;
  readonly cluster: Cluster;
}

type NamedRow = Pick<SandboxRow, "id" | "name" | "env">;

interface EnvironmentSources extends ClaudeSources {
  readonly fleet: Pick<SandboxModule, "sandboxes">;
}

/** What every terminal of a sandbox has in its environment: the Claude credential, where the API is, what the owner set. */
export function sandboxEnvironment({ settings, cluster }: ClaudeSources, { name, env }: NamedRow): Environment {
  const { claude, anthropicBaseUrl } = settings;
  return {
    ...(claude ? { [claude.variable]: claude.value } : {}),
    ...(anthropicBaseUrl === undefined ? {} : { ANTHROPIC_BASE_URL: cluster.fromContainers(anthropicBaseUrl) }),
    // Its agent was told the name that it had at first.
    BERTH_SANDBOX: name,
    ...env,
  };
}

/** The same, read from the database. */
export async function environmentOf(sources: EnvironmentSources, sandboxId: string): Promise<Environment> {
  const row = await sources.fleet.sandboxes.find(sandboxId);
  return row ? sandboxEnvironment(sources, row) : {};
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

/** Gives a sandbox of the warm pool, which runs, the name, the keys and the environment of whoever took it. */
export async function handOver(
  sources: ClaudeSources & { readonly registry: AgentRegistry; readonly access: Pick<AccessKeeper, "handOver"> },
  row: NamedRow,
): Promise<void> {
  const env = sandboxEnvironment(sources, row);
  // An agent that has just gone asks when it comes back.
  const tell = async () => sources.registry.get(row.id)?.call("setEnvironment", { env });
  await allDone([sources.access.handOver(row.id), tell()]);
}

/** The SSH keys that a user has registered. */
export async function publicKeysOf(store: Store, userId: string): Promise<string[]> {
  const keys = await store.db.selectFrom("ssh_keys").select("public_key").where("user_id", "=", userId).execute();
  return keys.map(({ public_key: key }) => key);
}
