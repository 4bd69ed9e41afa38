import type { Clock } from "@berth/base";
import type { Failure } from "@berth/protocol";
import { CallFailure } from "@berth/protocol/link";
import type { AgentRegistry } from "../agents/registry.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Activities } from "./activities.ts";
import { decide, sleepAfterMs, tellUses, workAmong } from "./decide.ts";

export interface ConsentDependencies {
  readonly registry: Pick<AgentRegistry, "get">;
  readonly activities: Activities;
  readonly clock: Clock;
  /** The fleet's time without use, in milliseconds; undefined: none sleeps by itself. */
  readonly sleepAfterMs: number | undefined;
}

/**
 * Asks a sandbox itself whether it may sleep: why not, or undefined. `again`: it has agreed, and whatever was begun in it
 * since then takes that back. Whoever uses it by this
 * controller has said so before he looked whether it is to sleep, and is told apart here, after that was written: so
 * either he wakes it, or he is seen.
 */
export async function askConsent(
  deps: ConsentDependencies,
  row: SandboxRow,
  again: boolean,
): Promise<Failure | undefined> {
  const { registry, activities, clock } = deps;
  try {
    const told = await registry.get(row.id)?.call("activity", again ? { again } : {});
    if (!told) return notAnswered(row, "its agent is not connected");
    activities.tell(row.id, told);
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error;
    return notAnswered(row, error.message);
  }
  const activity = activities.of(row.id);
  if (!activity) return notAnswered(row, "its agent has gone");
  if (!row.sleep_unasked) {
    const work = workAmong(activity.uses);
    return work.length > 0 ? inUse(row, tellUses(work)) : undefined;
  }
  const decision = decide(activity, sleepAfterMs(row.sleep_after, deps.sleepAfterMs), clock.now());
  if (decision.kind === "in-use") return inUse(row, tellUses(decision.uses));
  return decision.due ? undefined : inUse(row, "it was used just now");
}

function inUse({ name }: SandboxRow, why: string): Failure {
  return {
    code: "in_use",
    message: `The sandbox "${name}" is in use: ${why}.`,
    hint: "Wait until that is done, or stop the sandbox.",
  };
}

function notAnswered({ name }: SandboxRow, why: string): Failure {
  return {
    code: "agent_unavailable",
    message: `The sandbox "${name}" could not be asked whether it may sleep: ${why}.`,
    hint: "Stop it if it is not needed; restart it if its agent stays away.",
  };
}
