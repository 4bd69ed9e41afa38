import type { Clock } from "@berth/base";
import { BerthError, type SandboxState, type UseKind } from "@berth/protocol";
import type { Kysely } from "kysely";
import type { EventLog } from "../events/log.ts";
import { OperationJournal } from "../operations/journal.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { SandboxService } from "../sandboxes/service.ts";
import { isSandboxState } from "../sandboxes/state.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import type { Activities } from "./activities.ts";

export interface WakingDependencies {
  readonly db: Kysely<Database>;
  readonly events: EventLog;
  readonly sandboxes: Sandboxes;
  readonly service: Pick<SandboxService, "want">;
  readonly activities: Activities;
  readonly clock: Clock;
}

export interface ReadyOptions {
  /** Aborts when nobody waits any more; the sandbox wakes all the same. */
  readonly signal?: AbortSignal;
  /** Called, at most once, where it has to be waited for. */
  readonly onWaking?: (row: SandboxRow) => void;
  /** Its address is needed, too: that may be known a moment later than its agent. */
  readonly addressed?: boolean;
}

/** The seam for whoever uses a sandbox. */
export type AwaitReady = (sandboxId: string, options?: ReadyOptions) => Promise<SandboxRow>;

/** What those need of it who reach a sandbox by its agent, whose link tells well enough whether it can be reached. */
export interface Sleepers {
  /**
   * Counts a use of a sandbox, and waits for its wake if it sleeps or is being woken. Any other is left as it is: an agent
   * that is away may come at any moment, and one whose sandbox failed may still be there. Answers it as it is then, or
   * undefined if there is none. Throws as `awaitReady`.
   */
  awaken(sandboxId: string, options?: ReadyOptions): Promise<SandboxRow | undefined>;
  /** Counts a use that lasts, until the answer is called. */
  hold(sandboxId: string, kind: UseKind): () => void;
  /** Whether a sandbox is to sleep: who is cut off by that is not to come back unasked, which would wake it. */
  isToSleep(sandboxId: string): Promise<boolean>;
}

/** How long a caller waits for a wake, in milliseconds: a container's boot on a loaded node is part of it. */
const wakeLimitMs = 120_000;
/** How long the address is waited for of a sandbox that is ready; without one, it is for the caller to say so. */
const addressLimitMs = 5_000;
/** A waiter looks again after so long, even if nobody told it to, in milliseconds. */
const lookAgainMs = 500;

/** What a sandbox that is not ready is answered with, by its state. */
const states: Record<SandboxState, string> = {
  provisioning: "is being made: wait until it is ready",
  ready: "is ready",
  stopped: "is stopped: start it first",
  stopping: "is stopping",
  starting: "is starting: try again in a moment",
  asleep: "is asleep",
  destroying: "is being destroyed",
  failed: "has failed: see its error in the console",
};

/** Wakes sandboxes that are used while they sleep. */
export class Waking implements Sleepers {
  readonly #deps: WakingDependencies;
  readonly #journal: OperationJournal;

  constructor(dependencies: WakingDependencies) {
    this.#deps = dependencies;
    this.#journal = new OperationJournal(dependencies);
  }

  /**
   * Answers a sandbox as soon as it is ready, and counts that as its use. One that sleeps, or is just being put to sleep,
   * is woken, by however many once; one that is woken is waited for. Throws `sandbox_not_ready` for any other that is not
   * ready, with its state, and when the wake fails or takes too long; `not_found`; the signal's reason.
   */
  async awaitReady(sandboxId: string, options: ReadyOptions = {}): Promise<SandboxRow> {
    // Before it is looked whether it is to sleep: what is decided after that look counts this use.
    this.#deps.activities.touch(sandboxId);
    const row = await this.#deps.sandboxes.find(sandboxId);
    if (!row) throw new BerthError("not_found", "There is no such sandbox.");
    if (isReady(row) && hasAddress(row, options)) return row;
    if (row.desired === "asleep") await this.#wake(row);
    else if (!isReady(row) && !(await this.#isWaking(row))) throw notReady(row);
    if (!isReady(row)) options.onWaking?.(row);
    return this.#woken(row, options);
  }

  async awaken(sandboxId: string, options: ReadyOptions = {}): Promise<SandboxRow | undefined> {
    this.#deps.activities.touch(sandboxId);
    const row = await this.#deps.sandboxes.find(sandboxId);
    if (!row || isReady(row)) return row;
    const sleeps = row.desired === "asleep" || (await this.#isWaking(row));
    return sleeps ? this.awaitReady(sandboxId, options) : row;
  }

  hold(sandboxId: string, kind: UseKind): () => void {
    return this.#deps.activities.hold(sandboxId, kind);
  }

  async isToSleep(sandboxId: string): Promise<boolean> {
    return (await this.#deps.sandboxes.find(sandboxId))?.desired === "asleep";
  }

  /** Nothing wakes it any more: that may have come to its end since it was looked at, and well. */
  async #requireReady(row: SandboxRow): Promise<void> {
    const now = (await this.#deps.sandboxes.find(row.id)) ?? row;
    if (!isReady(now)) throw notWoken(now);
  }

  /** Not while a snapshot is made of it, or it is brought back to one: it is woken when that is over. */
  async #wake({ id }: SandboxRow): Promise<void> {
    const { db, sandboxes, service } = this.#deps;
    await inTransaction(db, async (work) => {
      const row = await sandboxes.lock(work, id);
      if (row?.desired === "asleep" && row.disk_work === null) await service.want(work, row, "wake");
    });
  }

  async #isWaking({ id }: SandboxRow): Promise<boolean> {
    return (await this.#journal.current(id))?.kind === "wake";
  }

  async #woken({ id, owner_id, name }: SandboxRow, options: ReadyOptions): Promise<SandboxRow> {
    const { clock, events, sandboxes, activities } = this.#deps;
    const { signal } = options;
    const until = clock.now() + wakeLimitMs;
    let readySince: number | undefined;
    const subscription = events.commitsOf(owner_id);
    try {
      while (clock.now() < until) {
        signal?.throwIfAborted();
        // Armed before the look: a commit during the look is not missed.
        const told = subscription.next();
        const row = await sandboxes.find(id);
        if (!row) throw new BerthError("not_found", "There is no such sandbox.");
        activities.touch(id);
        if (isReady(row)) {
          readySince ??= clock.now();
          if (hasAddress(row, options) || clock.now() - readySince > addressLimitMs) return row;
        } else if (row.desired === "asleep") await this.#wake(row);
        else if (!(await this.#isWaking(row))) await this.#requireReady(row);
        await firstOf(told, clock, signal);
      }
    } finally {
      subscription.end();
    }
    const seconds = wakeLimitMs / 1_000;
    throw new BerthError("sandbox_not_ready", `The sandbox "${name}" has not woken within ${seconds} seconds.`, {
      hint: "Look at its work in the console, and try again.",
    });
  }
}

async function firstOf(told: Promise<void>, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  const over = new AbortController();
  const until = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
  await Promise.race([told, clock.sleep(lookAgainMs, until).catch(() => {})]);
  over.abort();
}

function isReady({ state, desired }: SandboxRow): boolean {
  return state === "ready" && desired === "running";
}

function hasAddress({ address }: SandboxRow, { addressed = false }: ReadyOptions): boolean {
  return !addressed || address !== null;
}

function notReady({ name, state, error }: SandboxRow): BerthError {
  const words = states[isSandboxState(state) ? state : "failed"];
  const hint = error?.hint ?? (state === "stopped" ? "Start it first." : "Wait until its state is ready.");
  return new BerthError("sandbox_not_ready", `The sandbox "${name}" ${words}.`, { hint });
}

function notWoken(row: SandboxRow): BerthError {
  if (!row.error) return notReady(row);
  const { message, hint } = row.error;
  return new BerthError("sandbox_not_ready", `The sandbox "${row.name}" could not be woken: ${message}`, {
    ...(hint === undefined ? {} : { hint }),
  });
}
