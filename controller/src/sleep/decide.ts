import type { Use } from "@berth/protocol";

/** How a sandbox is used. */
export interface Activity {
  /** What keeps it awake now. */
  readonly uses: readonly Use[];
  /** Since when nothing does, or when something last did, in milliseconds. */
  readonly idleSince: number;
}

/** What follows from it. */
export type Decision =
  | { readonly kind: "in-use"; readonly uses: readonly Use[] }
  /** `sleepsAt`: undefined where it never sleeps by itself. */
  | { readonly kind: "idle"; readonly since: number; readonly sleepsAt: number | undefined; readonly due: boolean };

/** Whether a sandbox is to sleep, which does so after so many milliseconds without use (undefined: never). Pure. */
export function decide({ uses, idleSince }: Activity, sleepAfterMs: number | undefined, now: number): Decision {
  if (uses.length > 0) return { kind: "in-use", uses };
  const sleepsAt = sleepAfterMs === undefined ? undefined : idleSince + sleepAfterMs;
  return { kind: "idle", since: idleSince, sleepsAt, due: sleepsAt !== undefined && now >= sleepsAt };
}

/** Uses that end with somebody's going, and lose nothing by it: a person who asks for the sleep means them, too. */
const presence: ReadonlySet<Use["kind"]> = new Set(["viewer", "output", "ssh", "call", "claude-scheduled"]);

/** The uses that are work, which no person's wish for sleep cuts off. */
export function workAmong(uses: readonly Use[]): readonly Use[] {
  return uses.filter(({ kind }) => !presence.has(kind));
}

const words: Record<Use["kind"], string> = {
  viewer: "somebody looks at a terminal",
  claude: "Claude works",
  "claude-waiting": "Claude waits for an answer",
  "claude-scheduled": "Claude has scheduled work",
  program: "a program has a terminal",
  output: "a terminal prints",
  job: "something works in the background",
  ssh: "somebody is signed in by SSH",
  container: "a container runs in it",
  call: "a call is under way",
  sync: "its workspace is being synced",
};

/** Why a sandbox is awake, for people. A detail is the sandbox's own word: only what is printable is told. */
export function tellUses(uses: readonly Use[]): string {
  return uses
    .map(({ kind, detail }) => (detail ? `${words[kind]} (${detail.replaceAll(/[^\x20-\x7e]/g, "?")})` : words[kind]))
    .join(", ");
}

/** A sandbox's own time without use in milliseconds, or the fleet's; undefined: it never sleeps by itself. */
export function sleepAfterMs(own: number | "off" | null, fleet: number | undefined): number | undefined {
  if (own === "off") return undefined;
  return own === null ? fleet : own * 60_000;
}
