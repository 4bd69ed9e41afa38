import { unwatchFile, watchFile } from "node:fs";
import { readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { type AgentConfig, agentConfigSchema, parseJson } from "@berth/protocol";
import { Value } from "typebox/value";
import { guestPath, type Root } from "../root.ts";

/** What the agent found of its configuration; only `own` lets it speak. */
export type FoundConfig =
  | { readonly kind: "own"; readonly config: AgentConfig; readonly machineId: string }
  /** The container is a copy of the one that the configuration was made for. */
  | { readonly kind: "foreign" }
  | { readonly kind: "absent" }
  | { readonly kind: "invalid" };

/** Reads the agent's configuration and compares it with the machine it runs on. */
export async function findConfig(root: Root): Promise<FoundConfig> {
  const text = await readTextIfExists(guestPath(root, "agentConfig"));
  if (text === undefined) return { kind: "absent" };
  const config = parseJson(text);
  if (!Value.Check(agentConfigSchema, config)) return { kind: "invalid" };
  const machineId = (await readTextIfExists(guestPath(root, "machineId")))?.trim();
  return machineId === config.machineId ? { kind: "own", config, machineId } : { kind: "foreign" };
}

/** Keeps a configuration for the next start. */
export async function writeConfig(root: Root, config: AgentConfig): Promise<void> {
  await writeFileAtomic(guestPath(root, "agentConfig"), `${JSON.stringify(config)}\n`);
}

/** How often the configuration is looked at: often while there is none, since somebody waits for it then. */
const lookMs = { own: 1_000, other: 100 } as const;

/** Looks again and again whether another configuration than `found` is in force; its environment does not count. */
export function watchConfig(root: Root, found: FoundConfig, onChange: () => void): { stop(): void } {
  const path = guestPath(root, "agentConfig");
  const before = identity(found);
  const look = async () => {
    if (identity(await findConfig(root)) !== before) onChange();
  };
  const listener = () => void look().catch(() => {});
  const interval = found.kind === "own" ? lookMs.own : lookMs.other;
  watchFile(path, { interval, persistent: true }, listener);
  // It may have changed between its reading and now.
  listener();
  return { stop: () => unwatchFile(path, listener) };
}

function identity(found: FoundConfig): string {
  return found.kind === "own" ? JSON.stringify({ ...found.config, env: {} }) : found.kind;
}
