import { after, backoffMs, type Clock } from "@berth/base";
import type { Failure, Pool, SandboxSize } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { SandboxService } from "../sandboxes/service.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import type { TemplateFinder } from "../templates/finder.ts";
import { newMember, othersWait, type PoolMembers } from "./members.ts";
import { poolOwnerId } from "./owner.ts";
import { type PoolMember, type PoolPlan, planPool } from "./plan.ts";

export interface PoolKeeperDependencies {
  readonly db: Kysely<Database>;
  readonly sandboxes: Sandboxes;
  readonly service: Pick<SandboxService, "begin" | "want">;
  readonly members: PoolMembers;
  readonly templates: Pick<TemplateFinder, "all">;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  /** How many there are to be where nobody has said otherwise since. */
  readonly defaultSize: number;
  /** What each of them has. */
  readonly sandboxSize: SandboxSize;
}

/** How often the pool is looked at while something is to be done, and while nothing is, in milliseconds. */
const lookMs = { busy: 1_000, settled: 10_000 } as const;
/** How long whoever got a sandbox is left alone with it: Claude starts there now, and a clone that boots would slow it. */
const leisureMs = 5_000;
/** Between a member that failed and the next one. */
const retry = { firstMs: 10_000, maxMs: 600_000 };

/**
 * Keeps as many sandboxes ready as the warm pool is to have. What is wished for stands in the database, and each look
 * begins with what is there; the work itself is the reconciler's. In memory is nothing but how often members failed.
 */
export class PoolKeeper {
  readonly #deps: PoolKeeperDependencies;
  #failures = 0;
  #reason: Failure | undefined;
  #failedAt = 0;
  #retryAt = 0;
  #looking: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #callOff = () => {};

  constructor(dependencies: PoolKeeperDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#deps.members.onTaken = () => this.wake();
    this.wake();
  }

  /** Looks now, or once more as soon as the look that runs has ended. */
  wake(): void {
    if (this.#stopped) return;
    this.#callOff();
    this.#again = true;
    this.#looking ??= this.#run();
  }

  /** Begins no more looks, and waits for the one that runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#callOff();
    await this.#looking;
  }

  /** How it stands with the pool. */
  async status(): Promise<Pool> {
    const { db, members } = this.#deps;
    const rows = await this.#rows();
    const staying = rows.filter(({ desired }) => desired !== "destroyed");
    const { length: ready } = staying.filter((row) => row.state === "ready" && members.isReady(row));
    const { length: broken } = staying.filter(({ state }) => state === "failed");
    return {
      size: await this.#size(db),
      ready,
      filling: staying.length - ready - broken,
      failed: this.#reason ? { count: this.#failures, reason: this.#reason } : null,
    };
  }

  /** Says for good how many there are to be. */
  async resize({ trx, afterCommit }: UnitOfWork, size: number): Promise<void> {
    await trx
      .insertInto("pool")
      .values({ size })
      .onConflict((conflict) => conflict.column("only_one").doUpdateSet({ size }))
      .execute();
    afterCommit(() => {
      // Whoever says so may have mended what failed.
      this.#retryAt = 0;
      this.wake();
    });
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    let waitMs: number | undefined = lookMs.busy;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        waitMs = await this.#look();
      } catch (error) {
        waitMs = lookMs.settled;
        if (!this.#stopped) this.#deps.log.warn({ err: error }, "the warm pool could not be looked at");
      }
    }
    this.#looking = undefined;
    if (waitMs !== undefined && !this.#stopped) {
      this.#callOff = after(this.#deps.clock, waitMs, () => this.wake());
    }
  }

  /** Answers in how many milliseconds to look again; undefined: when somebody wants a pool. */
  async #look(): Promise<number | undefined> {
    const { db, clock } = this.#deps;
    const [size, rows] = [await this.#size(db), await this.#rows()];
    if (size === 0 && rows.length === 0) return undefined;
    await this.#readTemplates();
    // What fails again is asked for again in this look, and then not so soon.
    const mayTry = clock.now() >= this.#retryAt;
    this.#noteFates(rows);
    const plan = planPool({
      size,
      members: rows.map((row) => this.#member(row)),
      othersWait: await othersWait(db, new Date(clock.now() - leisureMs)),
      mayTry,
    });
    await this.#carryOut(plan);
    const settled = plan.kind === "rest" && rows.length === size && rows.every(({ state }) => state === "ready");
    return settled ? lookMs.settled : lookMs.busy;
  }

  async #carryOut(plan: PoolPlan): Promise<void> {
    const { db, service, clock, log, sandboxSize } = this.#deps;
    switch (plan.kind) {
      case "rest":
        return;
      case "make": {
        const made = await inTransaction(db, async (work) => {
          const values = newMember(sandboxSize, new Date(clock.now()));
          const row = await work.trx.insertInto("sandboxes").values(values).returningAll().executeTakeFirstOrThrow();
          await service.begin(work, row, "create");
          return row;
        });
        log.info({ sandboxId: made.id }, "the warm pool gets another sandbox");
        return;
      }
      case "remove":
        for (const id of plan.ids) await this.#remove(id);
    }
  }

  async #remove(id: string): Promise<void> {
    const { db, sandboxes, service, log } = this.#deps;
    const removed = await inTransaction(db, async (work) => {
      // Somebody may have taken it by now.
      const row = await sandboxes.lock(work, id);
      if (row?.owner_id !== poolOwnerId) return false;
      await service.want(work, row, "destroy");
      return true;
    });
    if (removed) log.info({ sandboxId: id }, "a sandbox leaves the warm pool");
  }

  /** Remembers members that failed, until one that was made since has become ready. */
  #noteFates(rows: readonly SandboxRow[]): void {
    const { clock, log, members } = this.#deps;
    const now = clock.now();
    const failed = rows.filter(({ state, desired }) => state === "failed" && desired !== "destroyed");
    const stuck = rows.filter(({ state, desired }) => state === "failed" && desired === "destroyed");
    for (const { id, error } of now >= this.#retryAt ? [...failed, ...stuck] : failed) {
      const waitMs = backoffMs(this.#failures, retry);
      this.#failures += 1;
      this.#failedAt = now;
      this.#retryAt = now + waitMs;
      this.#reason = error ?? { code: "internal", message: "It failed." };
      log.warn({ sandboxId: id, reason: this.#reason, waitMs }, "a sandbox of the warm pool failed");
    }
    const isProof = (row: SandboxRow) => row.state === "ready" && row.created_at.getTime() > this.#failedAt;
    if (this.#failures > 0 && rows.some((row) => isProof(row) && members.isReady(row))) {
      this.#failures = 0;
      this.#reason = undefined;
      this.#retryAt = 0;
    }
  }

  /** None to be seen says nothing: what was known of them stays. */
  async #readTemplates(): Promise<void> {
    const all = await this.#deps.templates.all();
    if (all.length === 0) return;
    this.#deps.members.templates = all.map(({ vmid, built }) => ({
      template_vmid: vmid,
      template_id: built?.id ?? null,
    }));
  }

  #member(row: SandboxRow): PoolMember {
    const { id, desired, state } = row;
    return {
      id,
      state: state === "ready" || state === "failed" ? state : "making",
      leaving: desired === "destroyed",
      outdated: row.template_vmid !== null && !this.#deps.members.isOfTemplate(row),
    };
  }

  /** The oldest first. */
  #rows(): Promise<SandboxRow[]> {
    const { db } = this.#deps;
    return db.selectFrom("sandboxes").selectAll().where("owner_id", "=", poolOwnerId).orderBy("created_at").execute();
  }

  async #size(db: Kysely<Database>): Promise<number> {
    const wish = await db.selectFrom("pool").select("size").executeTakeFirst();
    return wish?.size ?? this.#deps.defaultSize;
  }
}
