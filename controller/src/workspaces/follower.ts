import { backoffMs, type Clock } from "@berth/base";
import type { Failure } from "@berth/protocol";
import { type ChangeSource, SyncFailure, type SyncReport } from "@berth/sync";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { ContinuousWish } from "../store/tables.ts";
import { failureOf } from "./present.ts";

export interface FollowerDependencies {
  readonly clock: Clock;
  /** The sandbox as it is now. */
  sandbox(): Promise<SandboxRow | undefined>;
  /** Begins to tell of changes on the side that is followed. */
  watch(row: SandboxRow, signal: AbortSignal): Promise<ChangeSource>;
  sync(row: SandboxRow, signal: AbortSignal): Promise<SyncReport>;
  /** Whether the sandbox's agent is connected: when that changes, the sandbox has come or gone. */
  isAgentThere(): boolean;
  tell(state: FollowerState, error: Failure | null): Promise<void>;
}

export type FollowerState = "watching" | "syncing" | "paused";

/** Several changes at once are one: a save by an editor is a handful of them. In milliseconds. */
const debounceMs = 150;
/** A sandbox that cannot be followed is looked at again after so long. */
const readyPollMs = 1_000;
const retry = { firstMs: 500, maxMs: 15_000 };
/** How often it is looked whether the agent has come or gone, in milliseconds. */
const presencePollMs = 250;
/** What watching may have missed is found by a look after so long without a change, in milliseconds. */
const lookAnywayMs = 60_000;

/** Keeps one side of a workspace following the other, until it is stopped: through stops, cuts and restarts. */
export class Follower {
  readonly wish: ContinuousWish;
  readonly #deps: FollowerDependencies;
  readonly #over = new AbortController();
  readonly #done: Promise<void>;

  constructor(wish: ContinuousWish, dependencies: FollowerDependencies) {
    this.wish = wish;
    this.#deps = dependencies;
    this.#done = this.#follow(this.#over.signal);
  }

  async stop(): Promise<void> {
    this.#over.abort(new Error("nobody follows any more"));
    await this.#done;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, sandbox, tell } = this.#deps;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const row = await sandbox();
        if (!row) return;
        if (row.state !== "ready") {
          await tell("paused", notReady(row));
          await clock.sleep(readyPollMs, signal);
          continue;
        }
        await this.#followReady(row, signal, () => {
          failures = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        const waitMs = isLasting(error) ? retry.maxMs : backoffMs(failures, retry);
        failures += 1;
        await tell("paused", failureOf(error)).catch(() => {});
        await this.#wait(waitMs, signal).catch(() => {});
      }
    }
  }

  /** Waits so long, but no longer than until the agent comes or goes. Rejects with the signal's reason. */
  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    const { clock, isAgentThere } = this.#deps;
    const before = isAgentThere();
    const end = clock.now() + ms;
    for (let now = clock.now(); now < end && isAgentThere() === before; now = clock.now())
      await clock.sleep(Math.min(presencePollMs, end - now), signal);
  }

  /** Follows a sandbox that is ready; returns when it may not be any more. */
  async #followReady(row: SandboxRow, signal: AbortSignal, onSuccess: () => void): Promise<void> {
    const { clock, watch, sync, tell, sandbox } = this.#deps;
    const source = await watch(row, signal);
    try {
      while (!signal.aborted) {
        await tell("syncing", null);
        await sync(row, signal);
        onSuccess();
        await tell("watching", null);
        const waking = new AbortController();
        const until = AbortSignal.any([signal, waking.signal]);
        await Promise.race([source.next(until), this.#wait(lookAnywayMs, until).catch(() => {})]);
        waking.abort();
        await clock.sleep(debounceMs, signal);
        const now = await sandbox();
        if (now?.state !== "ready" || now.address !== row.address) return;
      }
    } finally {
      source.close();
    }
  }
}

function notReady({ name, state }: SandboxRow): Failure {
  return {
    code: "sandbox_not_ready",
    message: `The sandbox "${name}" is ${state}.`,
    hint: "It goes on once it is ready.",
  };
}

/** What trying again soon does not mend. */
function isLasting(error: unknown): boolean {
  return !(error instanceof SyncFailure) || (error.code !== "unreachable" && error.code !== "partial");
}
