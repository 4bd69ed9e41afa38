import { type Clock, every } from "@berth/base";
import type { Idle } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import { poolOwnerId } from "../pool/owner.ts";
import { notIdle, type SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { SandboxService } from "../sandboxes/service.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import type { Activities } from "./activities.ts";
import { type Decision, decide, sleepAfterMs } from "./decide.ts";

export interface SleeperDependencies {
  readonly db: Kysely<Database>;
  readonly activities: Activities;
  readonly sandboxes: Sandboxes;
  readonly service: Pick<SandboxService, "want">;
  readonly isConnected: (sandboxId: string) => boolean;
  /** What is told of each, by sandbox: this keeps it. */
  readonly told: Map<string, Idle>;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  /** The fleet's time without use, in milliseconds; undefined: none sleeps by itself. */
  readonly sleepAfterMs: number | undefined;
}

/** How often the fleet's use is looked at, in milliseconds: one query, and nothing is asked of any sandbox. */
const lookMs = 10_000;
/** By how much an instant may change without being told anew, in milliseconds. */
const toldWithinMs = 30_000;
/** Of what keeps a sandbox awake as much is told. */
const toldUses = 4;

type Candidate = Pick<SandboxRow, "id" | "sleep_after" | "created_at"> & { continuous: boolean };

/** Looks now and then how the fleet is used, tells of it, and wishes for the sleep of what nobody has used for long. */
export class Sleeper {
  readonly #deps: SleeperDependencies;
  #callOff = () => {};
  #looking = false;

  constructor(dependencies: SleeperDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    const { clock, sleepAfterMs: fleetMs = lookMs } = this.#deps;
    this.#callOff = every(clock, Math.min(lookMs, Math.max(250, fleetMs / 4)), () => void this.look());
  }

  stop(): void {
    this.#callOff();
  }

  /** Looks once at the whole fleet; not while a look is under way. Never rejects. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const candidates = await this.#candidates();
      const ids = new Set(candidates.map(({ id }) => id));
      for (const id of this.#deps.told.keys()) if (!ids.has(id)) this.#deps.told.delete(id);
      for (const candidate of candidates) await this.#lookAt(candidate);
    } catch (error) {
      this.#deps.log.warn({ err: error }, "the use of the sandboxes could not be looked at");
    } finally {
      this.#looking = false;
    }
  }

  #candidates(): Promise<Candidate[]> {
    return this.#deps.db
      .selectFrom("sandboxes")
      .leftJoin("workspaces", "workspaces.sandbox_id", "sandboxes.id")
      .select(["sandboxes.id", "sandboxes.sleep_after", "sandboxes.created_at"])
      .select((eb) => eb("workspaces.continuous", "is not", null).$castTo<boolean>().as("continuous"))
      .where("sandboxes.owner_id", "<>", poolOwnerId)
      .where("sandboxes.state", "=", "ready")
      .where("sandboxes.desired", "=", "running")
      .execute();
  }

  async #lookAt({ id, sleep_after, created_at, continuous }: Candidate): Promise<void> {
    const { activities, clock, isConnected } = this.#deps;
    const activity = isConnected(id) ? activities.of(id) : undefined;
    if (!activity) return this.#tell(id, notIdle);
    const uses = continuous ? [...activity.uses, { kind: "sync" as const }] : activity.uses;
    // One that waited in the warm pool was idle there, and nobody's.
    const idleSince = Math.max(activity.idleSince, created_at.getTime());
    const decision = decide({ uses, idleSince }, sleepAfterMs(sleep_after, this.#deps.sleepAfterMs), clock.now());
    if (decision.kind === "idle" && decision.due) await this.#putToSleep(id);
    else await this.#tell(id, toldOf(decision));
  }

  async #tell(id: string, idle: Idle): Promise<void> {
    const { told, sandboxes } = this.#deps;
    if (!isNews(told.get(id) ?? notIdle, idle)) return;
    told.set(id, idle);
    const row = await sandboxes.find(id);
    if (row) await sandboxes.announceNow(row);
  }

  /** Its agent has the last word; whoever has begun to use it meanwhile is seen then. */
  async #putToSleep(id: string): Promise<void> {
    const { db, sandboxes, service, log } = this.#deps;
    await inTransaction(db, async (work) => {
      const row = await sandboxes.lock(work, id);
      // What is under way on it is looked at anew when it has ended.
      if (row?.desired !== "running" || row.state !== "ready" || row.look_at !== null) return;
      await service.want(work, row, "sleep", { unasked: true });
      log.info({ sandboxId: id }, "a sandbox is to sleep since nobody uses it");
    });
  }
}

function toldOf(decision: Decision): Idle {
  if (decision.kind === "in-use") return { since: null, sleepsAt: null, uses: decision.uses.slice(0, toldUses) };
  const { since, sleepsAt } = decision;
  return {
    since: new Date(since).toISOString(),
    sleepsAt: sleepsAt === undefined ? null : new Date(sleepsAt).toISOString(),
    uses: [],
  };
}

function isNews(told: Idle, now: Idle): boolean {
  return (
    JSON.stringify(told.uses) !== JSON.stringify(now.uses) ||
    differs(told.since, now.since) ||
    differs(told.sleepsAt, now.sleepsAt)
  );
}

function differs(one: string | null, other: string | null): boolean {
  if (one === null || other === null) return one !== other;
  return Math.abs(Date.parse(one) - Date.parse(other)) > toldWithinMs;
}
