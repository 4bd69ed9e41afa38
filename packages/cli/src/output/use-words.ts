import type { Sandbox, UseKind } from "@berth/protocol";
import { ago, until } from "./ago.ts";
import { harmless } from "./style.ts";

const words: Record<UseKind, string> = {
  viewer: "attached",
  claude: "Claude works",
  "claude-waiting": "Claude waits for you",
  "claude-scheduled": "Claude has scheduled work",
  program: "runs",
  output: "prints",
  job: "works on",
  ssh: "SSH",
  container: "runs a container",
  call: "in use",
  sync: "syncs",
};

/** What keeps a sandbox awake, or since when nothing does and when it sleeps: `Claude works, runs vim`. */
export function useWords({ attention, idle }: Pick<Sandbox, "attention" | "idle">, nowMs: number): string {
  if (idle.since !== null) {
    const end = idle.sleepsAt === null ? "" : `, sleeps in ${until(idle.sleepsAt, nowMs)}`;
    return `${attention === "error" ? "Claude met an error, " : ""}idle ${ago(idle.since, nowMs)}${end}`;
  }
  return idle.uses
    .map(({ kind, detail }) => (detail === undefined ? words[kind] : `${words[kind]} ${harmless(detail)}`))
    .join(", ");
}
