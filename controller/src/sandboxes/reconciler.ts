import { isDeepStrictEqual } from "node:util";
import { backoffMs, type Clock } from "@berth/base";
import type { ContainerSetting, SandboxState, StepName } from "@berth/protocol";
import { isProxmoxError } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import type { OperationJournal } from "../operations/journal.ts";
import type { OperationRow } from "../operations/record.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import type { Claims } from "./claims.ts";
import { driftBetween, settingsOfRow } from "./container-settings.ts";
import { judge, Superseded } from "./failures.ts";
import type { Observer, Sighting } from "./observe.ts";
import { type Action, type Desired, isAside, isDiskWork, type ObservedContainer, type Plan, plan } from "./plan.ts";
import type { SandboxRow } from "./record.ts";
import type { Sandboxes } from "./repository.ts";
import { readSituation, type Situation } from "./situation.ts";
import { isSandboxState } from "./state.ts";
import { stepOf, type TaskRunner } from "./tasks.ts";
import type { AgentPresence } from "./watch.ts";

export interface ReconcilerDependencies {
  db: Kysely<Database>;
  observer: Observer;
  sandboxes: Sandboxes;
  journal: OperationJournal;
  claims: Claims;
  tasks: TaskRunner<SandboxRow>;
  /** Settings that the container takes over when it is started next. */
  pendingSettings(row: SandboxRow): Promise<ContainerSetting[]>;
  actions: Record<Exclude<Action, "follow-task">, (row: SandboxRow, operation: OperationRow) => Promise<void>>;
  /** Gives up a clone whose node is down, if that is what the error says; answers whether it did. */
  leaveLostNode(row: SandboxRow, operation: OperationRow, error: unknown): Promise<boolean>;
  /** Has a container's description tell the sandbox's present name and owner. */
  describe(row: SandboxRow, owner: string, mark: NonNullable<Sighting["mark"]>): Promise<void>;
  agents: AgentPresence;
  clock: Clock;
  log: FastifyBaseLogger;
  /** Aborted when the controller stops. */
  signal: AbortSignal;
}

/** Steps that one look may take before it lets others have their turn. */
const maxStepsPerLook = 32;
/** How many looks in a row that nobody asked for have to fail before a sandbox is called failed; within two seconds. */
const unaskedLooks = 4;
const retryBackoff = { firstMs: 250, maxMs: 15_000 };

/** Looks at one sandbox: from what is wanted and what is, does the next step, until nothing is left to do now. */
export class Reconciler {
  readonly #deps: ReconcilerDependencies;

  constructor(dependencies: ReconcilerDependencies) {
    this.#deps = dependencies;
  }

  /** Looks once. Answers in how many milliseconds to look again, or undefined: when something happens. Never throws. */
  async look(sandboxId: string): Promise<number | undefined> {
    const { db, signal, log } = this.#deps;
    let row: SandboxRow | undefined;
    let doing: StepName | undefined;
    try {
      for (let steps = 0; steps < maxStepsPerLook && !signal.aborted; steps++) {
        const situation = await readSituation(db, sandboxId);
        if (!situation) return undefined;
        const { operation } = situation;
        row = situation.row;
        const next = await this.#plan(situation);
        if (next.kind !== "settled") doing = next.name;
        const again = await this.#carryOut(row, operation, next);
        if (again !== "go on") return again;
      }
      return 0;
    } catch (error) {
      if (signal.aborted || !row) return undefined;
      if (error instanceof Superseded) return 0;
      log.warn({ sandboxId, step: doing, err: error }, "a step of a sandbox failed");
      return await this.#afterError(row, doing, error);
    }
  }

  async #plan(situation: Situation): Promise<Plan> {
    const { row } = situation;
    const agentConnected = this.#deps.agents.isConnected(row.id);
    const task = row.task ? { step: stepOf(row.task.step) } : undefined;
    // While a task of ours works on it, what the container looks like says nothing.
    const container: ObservedContainer = task ? { kind: "none" } : await this.#observe(situation, agentConnected);
    const desired = desiredOf(situation);
    const now = this.#deps.clock.now();
    const agentSilentMs = agentConnected ? 0 : now - this.#couldReportSince(row, desired);
    return plan(desired, { task, container, agentConnected, agentSilentMs }, now);
  }

  /** Since when an agent that is away has a container that runs, and knows this controller's address. */
  #couldReportSince(row: SandboxRow, { running }: Desired): number {
    const toldAt = row.bootstrapped_at?.getTime() ?? 0;
    return Math.max(this.#deps.agents.awaySince(row.id), toldAt, running?.since ?? 0);
  }

  async #observe({ row, owner, operation }: Situation, agentConnected: boolean): Promise<ObservedContainer> {
    // An agent that is connected may still have to be bootstrapped: its disk was put back.
    const needsAddress = row.desired === "running" && !(agentConnected && row.bootstrapped_at !== null);
    const sighting = await this.#deps.observer.look(row, needsAddress);
    const { container, node } = sighting;
    await this.#noteSighting(row, operation, container.kind === "ours" ? container.address : undefined, node);
    await this.#noteDrift(row, sighting);
    await this.#describe(row, owner, sighting);
    return container;
  }

  async #noteSighting(
    row: SandboxRow,
    operation: OperationRow | undefined,
    address: string | undefined,
    node: string | undefined,
  ): Promise<void> {
    const moved = node !== undefined && node !== row.node;
    const readdressed = address !== undefined && address !== row.address;
    if (!moved && !readdressed) return;
    await this.#deps.sandboxes.change(row, { ...(moved ? { node } : {}), ...(readdressed ? { address } : {}) });
    if (readdressed && operation) await this.#deps.journal.step(operation, "address", `it has the address ${address}`);
  }

  /** Has the description tell the present names: of use once the database is lost, and no reason to fail. */
  async #describe(row: SandboxRow, owner: string, { container, mark }: Sighting): Promise<void> {
    if (!mark || !isAtRest(row) || container.kind !== "ours" || container.lock !== undefined) return;
    try {
      await this.#deps.describe(row, owner, mark);
    } catch (error) {
      if (!isProxmoxError(error)) throw error;
      this.#deps.log.debug(
        { sandboxId: row.id, err: error },
        "a container's description could not be brought up to date",
      );
    }
  }

  /** Tells what somebody has changed in Proxmox, and leaves it: they will have had a reason. */
  async #noteDrift(row: SandboxRow, { container, settings }: Sighting): Promise<void> {
    if (!isAtRest(row) || !settings || container.kind !== "ours" || container.lock !== undefined) return;
    // It may have been restarted from within.
    if (row.restart_needed.length > 0) {
      await this.#deps.sandboxes.change(row, { restart_needed: await this.#deps.pendingSettings(row) });
    }
    const drift = driftBetween(settingsOfRow(row), settings);
    if (!isDeepStrictEqual(drift, row.drift)) {
      await this.#deps.sandboxes.change(row, { drift: JSON.stringify(drift) });
    }
  }

  async #carryOut(
    row: SandboxRow,
    operation: OperationRow | undefined,
    next: Plan,
  ): Promise<number | undefined | "go on"> {
    const { journal } = this.#deps;
    switch (next.kind) {
      case "settled":
        await this.#rest(row, { state: next.state, error: null }, operation, ({ trx }, ended) =>
          journal.succeedIn(trx, ended),
        );
        return undefined;
      case "wait":
        if (row.state === "failed" && !operation) return undefined;
        await this.#underWay(row, next.state);
        if (operation) await journal.step(operation, next.name, next.detail);
        return next.ms;
      case "fail":
        return await this.#fail(row, operation, next.name, next.failure);
      case "step":
        // What failed is not tried again unasked.
        if (row.state === "failed" && !operation) return undefined;
        await this.#step(row, operation ?? (await this.#beginUnasked(row, next)), next);
        return "go on";
    }
  }

  async #step(row: SandboxRow, operation: OperationRow, next: Extract<Plan, { kind: "step" }>): Promise<void> {
    const { sandboxes, journal, tasks, actions } = this.#deps;
    await this.#underWay(row, next.state);
    await journal.step(operation, next.name);
    if (next.step === "follow-task") {
      const makes = next.name === "clone" || next.name === "configure" || next.name === "start";
      await tasks.follow(row, operation, { unwanted: makes && row.desired === "destroyed" });
      if (next.name === "clone") await this.#deps.claims.noteAsked(row.id, false);
    } else await actions[next.step](row, operation);
    // The next look asks for the operation anew: a forget has ended it together with the row.
    if (next.step !== "forget" && (row.attempts > 0 || row.error)) {
      await sandboxes.change(row, { attempts: 0, error: null });
    }
  }

  /** What was settled and is not any more is work again, also for the controller after this one. */
  async #underWay(row: SandboxRow, state: SandboxState): Promise<void> {
    if (row.state === state && row.look_at !== null) return;
    await this.#deps.sandboxes.change(row, { state, look_at: row.look_at ?? new Date(this.#deps.clock.now()) });
  }

  /**
   * Something changed without being asked for, such as a container that stopped: the way back is an operation too. Throws
   * `Superseded` if something was asked for just now.
   */
  async #beginUnasked(row: SandboxRow, { step, name }: Extract<Plan, { kind: "step" }>): Promise<OperationRow> {
    const kind = step === "change" || isDiskWork(step) ? step : unasked[row.desired];
    const wanted = isDiskWork(name) && row.disk_work !== null ? name : kind;
    const operation = await this.#deps.journal.begin(row, wanted, name);
    if (!operation) throw new Superseded();
    return operation;
  }

  async #afterError(row: SandboxRow, name: StepName | undefined, error: unknown): Promise<number | undefined> {
    const { failure, tries } = judge(error, { hasContainer: row.configured });
    const attempts = row.attempts + 1;
    const { sandboxes, journal, clock } = this.#deps;
    try {
      const operation = await journal.current(row.id);
      if (operation && (await this.#deps.leaveLostNode(row, operation, error))) return 0;
      if (attempts >= tries) {
        return await this.#fail(row, operation, name, failure);
      }
      const waitMs = backoffMs(attempts - 1, retryBackoff);
      await sandboxes.change(row, {
        attempts,
        error: JSON.stringify(failure),
        look_at: new Date(clock.now() + waitMs),
      });
      if (operation && name) await journal.step(operation, name, `${failure.message} Trying again.`);
      return waitMs;
    } catch (databaseError) {
      if (databaseError instanceof Superseded) return 0;
      // The database is away: the row still says that there is work, and is looked at again.
      this.#deps.log.error({ sandboxId: row.id, err: databaseError }, "a failed step could not be written down");
      return retryBackoff.maxMs;
    }
  }

  /**
   * Nothing is left to do: the row says so in the transaction that ends the operation, since nobody would look again at
   * what is left of one of them. Throws `Superseded` if something else has been wished for meanwhile.
   */
  async #rest(
    row: SandboxRow,
    change: { state: SandboxState; error: string | null },
    operation: OperationRow | undefined,
    end: (work: UnitOfWork, operation: OperationRow) => Promise<void>,
  ): Promise<void> {
    const { db, sandboxes } = this.#deps;
    await inTransaction(db, async (work) => {
      const now = await sandboxes.lock(work, row.id);
      if (!now || isWishNew(now, row)) throw new Superseded();
      const rest = { ...change, attempts: 0, look_at: null };
      if (!operation) return sandboxes.changeIn(work, row, rest);
      await end(work, operation);
      return sandboxes.endWorkIn(work, row, rest);
    });
  }

  async #fail(
    row: SandboxRow,
    operation: OperationRow | undefined,
    name: StepName | undefined,
    failure: { code: string; message: string; hint?: string },
  ): Promise<number | undefined> {
    if (operation && isDone(row, operation)) return this.#endDone(row, operation, failure);
    if (!operation && row.state !== "failed" && row.attempts + 1 < unaskedLooks) return this.#lookOnceMore(row);
    if (operation && name && isUndone(row, name) && !(name === "rollback" && row.task !== null)) {
      return this.#giveUp(row, operation, name, failure);
    }
    await this.#rest(row, { state: "failed", error: JSON.stringify(failure) }, operation, ({ trx }, ended) =>
      this.#deps.journal.failIn(trx, ended, name, failure),
    );
    this.#deps.log.warn({ sandboxId: row.id, step: name, code: failure.code }, "a sandbox failed");
    return undefined;
  }

  /** Nobody waits for anything, and what failed once may have been a moment of Proxmox's own. */
  async #lookOnceMore(row: SandboxRow): Promise<number> {
    const waitMs = backoffMs(row.attempts, retryBackoff);
    const look_at = new Date(this.#deps.clock.now() + waitMs);
    await this.#deps.sandboxes.change(row, { attempts: row.attempts + 1, look_at });
    return waitMs;
  }

  /**
   * What was wished for is done, and it was the look after it that failed: the wish came to its good end, and whatever
   * ails the sandbox is told by the next look.
   */
  async #endDone(row: SandboxRow, operation: OperationRow, { code }: { code: string }): Promise<number> {
    const { db, sandboxes, journal, clock, log } = this.#deps;
    await inTransaction(db, async (work) => {
      const now = await sandboxes.lock(work, row.id);
      if (!now || isWishNew(now, row)) throw new Superseded();
      await journal.succeedIn(work.trx, operation);
      const look_at = new Date(clock.now() + retryBackoff.firstMs);
      await sandboxes.endWorkIn(work, row, { error: null, attempts: 0, look_at });
    });
    log.info({ sandboxId: row.id, code }, "a look after work that is done failed");
    return retryBackoff.firstMs;
  }

  /**
   * Work beside a sandbox's life has failed, and the sandbox is as it was. Nobody wants it any more; unless its task may
   * still run, for then the same wish goes on with that.
   */
  async #giveUp(
    row: SandboxRow,
    operation: OperationRow,
    name: StepName,
    failure: { code: string; message: string; hint?: string },
  ): Promise<number | undefined> {
    const { db, sandboxes, journal, clock, log } = this.#deps;
    const ended = row.task === null;
    await inTransaction(db, async (work) => {
      const now = await sandboxes.lock(work, row.id);
      if (!now || isWishNew(now, row)) throw new Superseded();
      await journal.failIn(work.trx, operation, name, failure);
      const wish = !ended ? {} : name === "change" ? { change_wanted: false } : { disk_work: null };
      const look_at = ended ? new Date(clock.now()) : null;
      await sandboxes.endWorkIn(work, row, { ...wish, error: null, attempts: 0, look_at });
    });
    log.warn({ sandboxId: row.id, step: name, code: failure.code }, "work on a sandbox failed");
    return ended ? 0 : undefined;
  }
}

/** Whether its container has been given all that it is to have, and nothing is to be done with it. */
function isAtRest(row: SandboxRow): boolean {
  return row.configured && !row.change_wanted && row.disk_work === null && row.desired !== "destroyed";
}

/**
 * Whether the snapshot that an operation was to take or to delete is taken or deleted. To wish for that again would be
 * refused, so nothing that fails afterwards is to count against it.
 */
function isDone({ disk_work }: SandboxRow, { kind }: OperationRow): boolean {
  return (kind === "snapshot" || kind === "delete_snapshot") && disk_work === null;
}

/** Whether a step is work beside a sandbox's life that is still to be done; before it is handed over nothing is. */
function isUndone(row: SandboxRow, name: StepName): boolean {
  return (
    isAside(name) &&
    row.configured &&
    !row.handover_wanted &&
    (name === "change" ? row.change_wanted : row.disk_work?.kind === name)
  );
}

/** What the way back to what is wanted is called. */
const unasked = { running: "start", stopped: "stop", asleep: "sleep", destroyed: "destroy" } as const;

/** Whether something else is wished for than was when a row was read. */
function isWishNew(now: SandboxRow, read: SandboxRow): boolean {
  return (
    now.desired !== read.desired ||
    now.boot_wanted !== read.boot_wanted ||
    (now.change_wanted && !read.change_wanted) ||
    (now.handover_wanted && !read.handover_wanted) ||
    now.disk_work?.operationId !== read.disk_work?.operationId
  );
}

function desiredOf({ row, operation, abandonedVmids, copied, claim }: Situation): Desired {
  const running = operation?.steps.find((step) => step.state === "running");
  return {
    power: row.desired,
    state: isSandboxState(row.state) ? row.state : "failed",
    vmid: row.vmid,
    configured: row.configured,
    bootstrapped: row.bootstrapped_at !== null,
    met: row.host_key_fingerprint !== null,
    filled: row.workspace_filled,
    keepWanted: row.keep_wanted,
    restartWanted: row.boot_done < row.boot_wanted && row.boot_done > 0,
    changeWanted: row.change_wanted,
    handoverWanted: row.handover_wanted,
    diskWork: row.disk_work?.kind,
    fork: row.source ? { prepared: row.source.prepared, temporary: row.source.temporary } : undefined,
    copied,
    abandonedVmids,
    claimedAt: claim?.createdAt.getTime() ?? 0,
    cloneAsked: claim?.asked ?? false,
    steps: operation?.steps.map(({ name }) => name) ?? [],
    running: running?.startedAt ? { name: running.name, since: Date.parse(running.startedAt) } : undefined,
  };
}
