import { timingSafeEqual } from "node:crypto";

/** How many secrets of a sandbox are valid beside the newest. */
const maxFormer = 8;

/** The secrets of a sandbox's agent, as hashes. */
export interface AgentSecrets {
  /** The newest: what the last bootstrap gave, or was about to give when it was cut. */
  readonly agent_secret_hash: string | null;
  /** Those that an agent may have instead, the oldest first, until one comes with the newest. */
  readonly former_agent_secret_hashes: readonly string[];
}

/**
 * The secrets before one that is about to be given: a bootstrap that is cut may or may not have got through to the
 * container. Of too many the first stays, which is what the agent has if none got through, and the last ones do.
 */
export function formerSecrets({ agent_secret_hash: last, former_agent_secret_hashes: former }: AgentSecrets): string[] {
  const all = last === null ? [...former] : [...former, last];
  return all.length <= maxFormer ? all : [...all.slice(0, 1), ...all.slice(1 - maxFormer)];
}

/** Which of the secrets it is, if any. */
export function matchSecret(secrets: AgentSecrets, hash: string): "newest" | "former" | undefined {
  const given = Buffer.from(hash);
  const equals = (known: string) => {
    const bytes = Buffer.from(known);
    return bytes.length === given.length && timingSafeEqual(bytes, given);
  };
  if (secrets.agent_secret_hash !== null && equals(secrets.agent_secret_hash)) return "newest";
  return secrets.former_agent_secret_hashes.some(equals) ? "former" : undefined;
}
