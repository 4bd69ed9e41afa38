import { type Sandbox, useWords as words } from "@berth/protocol";
import { ago, until } from "./ago.ts";
import { harmless } from "./style.ts";

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
