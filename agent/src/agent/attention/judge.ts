import type { Attention } from "@berth/protocol";
import type { HookSign, HookWord } from "./hooks.ts";
import type { ClaudeSession } from "./sessions.ts";

type SessionSign = Pick<ClaudeSession, "status" | "at">;

/**
 * What Claude does in a terminal, by its hooks and its own session state together; undefined where neither tells. The
 * state is right in all that it says, also after Esc, which no hook tells of; but a hook comes a moment earlier, and the
 * state knows no errors. A status that is new to Berth counts as work. Pure.
 */
export function attentionOf(hook: HookSign | undefined, session: SessionSign | undefined): Attention | undefined {
  if (!session?.status) return hook && byHooks[hook.word];
  const isNewer = hook !== undefined && hook.at > session.at;
  if (session.status === "waiting") return isNewer && hook.word === "working" ? "working" : "waiting";
  if (session.status !== "idle") return isNewer && hook.word === "waiting" ? "waiting" : "working";
  // What begins before the state says so has begun; what is over, as after Esc, is not told by a later hook.
  if (isNewer && (hook.word === "working" || hook.word === "waiting")) return byHooks[hook.word];
  return hook?.word === "failed" ? "error" : "idle";
}

const byHooks: Record<HookWord, Attention> = {
  started: "idle",
  working: "working",
  waiting: "waiting",
  stopped: "idle",
  background: "working",
  scheduled: "idle",
  failed: "error",
  ended: "idle",
};

/** Of several Claudes in one terminal, the one that most wants a person's eyes. */
const foremostFirst = ["waiting", "error", "working", "idle"] as const satisfies Attention[];

/** What Claude does in a terminal with these sessions. Pure. */
export function terminalAttention(hook: HookSign | undefined, sessions: readonly SessionSign[]): Attention | undefined {
  if (sessions.length === 0) return attentionOf(hook, undefined);
  const all = sessions.map((session) => attentionOf(hook, session));
  return foremostFirst.find((attention) => all.includes(attention));
}
