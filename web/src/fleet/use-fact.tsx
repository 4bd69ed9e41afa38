import { type Attention, type Sandbox, useWords } from "@berth/protocol";
import { ageText } from "../operation/duration.ts";
import "./use-fact.css";

const minuteMs = 60_000;

/** What keeps a sandbox awake; or since when nothing does, and when it will sleep. */
export function UseFact({ sandbox, now }: { sandbox: Sandbox; now: number }) {
  if (sandbox.state !== "ready") return null;
  const words = wordsOf(sandbox, now);
  if (words === "") return null;
  return (
    <span className="fact-use">
      <AttentionMark attention={sandbox.attention} />
      {words}
    </span>
  );
}

function wordsOf({ idle }: Sandbox, now: number): string {
  if (idle.since === null) {
    return idle.uses.map(({ kind, detail }) => (detail ? `${useWords[kind]} ${detail}` : useWords[kind])).join(", ");
  }
  const quietMs = now - Date.parse(idle.since);
  const since = quietMs < minuteMs ? "idle" : `idle for ${ageText(quietMs)}`;
  if (idle.sleepsAt === null) return since;
  const leftMs = Date.parse(idle.sleepsAt) - now;
  return `${since}, sleeps ${leftMs < minuteMs ? "within a minute" : `in ${ageText(leftMs)}`}`;
}

const attentionWords: Record<Attention, string> = {
  working: "Claude works",
  waiting: "Claude waits for you",
  idle: "Claude is idle",
  error: "Claude met an error",
};

/** What Claude does, as a small mark; nothing where none runs, or nothing is known. */
export function AttentionMark({ attention }: { attention: Attention | null }) {
  if (attention === null) return null;
  return (
    <span className="attention" data-attention={attention} title={attentionWords[attention]}>
      <span className="visually-hidden">{attentionWords[attention]}</span>
    </span>
  );
}
