import { after, backoffMs, unreachable } from "@berth/base";
import type { Failure, StepName } from "@berth/protocol";
import { isProxmoxError } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { OperationRow } from "../operations/record.ts";
import { judge, StepFailure, Superseded } from "../sandboxes/failures.ts";
import { stepOf } from "../sandboxes/tasks.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import { type BuildingAction, buildingActions, type ClearingAction, clearingActions } from "./actions.ts";
import { observeBuild } from "./observe.ts";
import { type BuildPlan, planBuild, type WantedTemplate } from "./plan.ts";
import { containerOf, type TemplateRow } from "./record.ts";
import { converted } from "./steps/convert.ts";
import type { BuildDependencies } from "./steps/dependencies.ts";

export interface TemplateBuilderDependencies extends Omit<BuildDependencies, "tasks"> {
  db: Kysely<Database>;
  /** Runs tasks as long as the signal is not aborted. */
  tasksUntil(signal: AbortSignal): BuildDependencies["tasks"];
  log: FastifyBaseLogger;
}

const retryBackoff = { firstMs: 500, maxMs: 15_000 };
/** A person waits for a build, and can begin another: what passes by itself does so within a few minutes. */
const maxTries = 10;
/** Nothing that a build waits for takes this long, in milliseconds: neither a download nor an installation. */
const stepLimitMs = 60 * 60_000;
/** How often it is tried to take away what could not be taken away, in milliseconds. */
const leftoverMs = 10 * 60_000;

/** Looks at one template: does the next step of its build, or of clearing up after it, until nothing is left to do. */
export class TemplateBuilder {
  readonly #deps: TemplateBuilderDependencies;
  /** The work on each template that runs, to be interrupted when it is not wanted any more. */
  readonly #working = new Map<string, AbortController>();

  constructor(dependencies: TemplateBuilderDependencies) {
    this.#deps = dependencies;
  }

  /** Looks. Answers in how many milliseconds to look again, or undefined: when something happens. Never throws. */
  async look(id: string): Promise<number | undefined> {
    let row: TemplateRow | undefined;
    let doing: StepName | undefined;
    try {
      for (;;) {
        row = await this.#deps.templates.find(id);
        if (!row || row.state === "ready" || this.#deps.signal.aborted) return undefined;
        const operation = row.operation_id === null ? undefined : await this.#deps.journal.open(row.operation_id);
        const next = await this.#plan(row, operation);
        doing = next.name;
        const again = await this.#carryOut(row, operation, next);
        if (again !== "go on") return again;
      }
    } catch (error) {
      if (this.#deps.signal.aborted || !row) return undefined;
      if (error instanceof Superseded || (await this.#changed(row))) return 0;
      this.#deps.log.warn({ templateId: id, step: doing, err: error }, "a step of a template failed");
      return await this.#afterError(row, doing, error);
    }
  }

  /** Ends the step that runs on a template, and the Proxmox task of it: what is wanted of it has changed. */
  interrupt(id: string): void {
    const working = this.#working.get(id);
    if (!working) return;
    working.abort(new Superseded());
    void this.#stopTask(id);
  }

  async #stopTask(id: string): Promise<void> {
    try {
      const row = await this.#deps.templates.find(id);
      if (row?.task) await this.#deps.client.tasks.stop(row.task.upid);
    } catch (error) {
      // Then it is waited for.
      this.#deps.log.info({ templateId: id, err: error }, "the task of a build could not be stopped");
    }
  }

  /** Whether something else is wanted by now than what the step was for. */
  async #changed(row: TemplateRow): Promise<boolean> {
    try {
      return (await this.#deps.templates.find(row.id))?.state !== row.state;
    } catch {
      return false;
    }
  }

  async #plan(row: TemplateRow, operation: OperationRow | undefined): Promise<BuildPlan> {
    const task = row.task ? { step: stepOf(row.task.step) } : undefined;
    // While a task of ours works on it, what the container looks like says nothing.
    const container = task ? ({ kind: "none" } as const) : await observeBuild(this.#deps, row);
    if (container.kind === "ours" && container.address !== undefined && container.address !== row.address) {
      await this.#deps.templates.change(row, { address: container.address });
      if (operation) await this.#deps.journal.step(operation, "address", `it has the address ${container.address}`);
    }
    return planBuild(wantedOf(row, operation), { container, task }, this.#deps.clock.now());
  }

  async #carryOut(
    row: TemplateRow,
    operation: OperationRow | undefined,
    next: BuildPlan,
  ): Promise<number | undefined | "go on"> {
    switch (next.kind) {
      case "wait":
        if (operation && next.name) await this.#deps.journal.step(operation, next.name, next.detail);
        return next.ms;
      case "fail":
        return row.state === "building"
          ? await this.#giveUp(row, operation, next.name, next.failure)
          : await this.#leave(row, operation, next.failure);
      case "step":
        return await this.#step(row, operation, next);
      default:
        return unreachable(next);
    }
  }

  async #step(
    row: TemplateRow,
    operation: OperationRow | undefined,
    { step, name }: Extract<BuildPlan, { kind: "step" }>,
  ): Promise<"go on" | undefined> {
    if (step === "forget") return await this.#forget(row, operation);
    if (isClearing(step)) {
      await clearingActions[step](this.#deps, row);
      return "go on";
    }
    // A build whose operation has ended is wanted by nobody.
    if (!operation) {
      await this.#discard(row, null);
      return "go on";
    }
    if (name) await this.#deps.journal.step(operation, name);
    if (step === "adopt") return await this.#adopt(row, operation);
    await this.#interruptible(row, (signal) => {
      const deps = { ...this.#deps, tasks: this.#deps.tasksUntil(signal) };
      return buildingActions[step](deps, row, operation, signal);
    });
    // A boot mends what keeps sshd from letting Berth in, or does not: it is no progress by itself.
    if (row.attempts > 0 && step !== "start") await this.#deps.templates.change(row, { attempts: 0 });
    return "go on";
  }

  async #interruptible(row: TemplateRow, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const interrupted = new AbortController();
    this.#working.set(row.id, interrupted);
    const callOff = after(this.#deps.clock, stepLimitMs, () => interrupted.abort(endless));
    try {
      await work(AbortSignal.any([interrupted.signal, this.#deps.signal]));
    } finally {
      callOff();
      this.#working.delete(row.id);
      // Why it was interrupted says more than what came of it.
      interrupted.signal.throwIfAborted();
    }
  }

  /** The template is made: from now on sandboxes are cloned from it. */
  async #adopt(row: TemplateRow, operation: OperationRow): Promise<undefined> {
    const { db, templates, journal, finder, log } = this.#deps;
    await converted(this.#deps, row);
    await journal.log(operation, "adopt", "berth", `new sandboxes are cloned from the template ${row.vmid}`);
    const ready = { state: "ready" as const, state_since: this.#now(), look_at: null, task: null, attempts: 0 };
    // Together: nobody would look at a template again whose operation had not ended.
    await inTransaction(db, async ({ trx }) => {
      await templates.change(row, ready, trx);
      await journal.succeedIn(trx, operation);
    });
    finder.forget();
    log.info({ templateId: row.id, vmid: row.vmid, version: row.version }, "a template is built");
  }

  async #afterError(row: TemplateRow, name: StepName | undefined, error: unknown): Promise<number | undefined> {
    const { failure, tries } = judge(error);
    const { templates, journal, clock, log } = this.#deps;
    const attempts = row.attempts + 1;
    try {
      const operation = row.operation_id === null ? undefined : await journal.open(row.operation_id);
      if (
        attempts >= Math.min(tries, isTaskFailure(error) ? 1 : tries === Number.POSITIVE_INFINITY ? tries : maxTries)
      ) {
        const next = { kind: "fail" as const, name, failure };
        const again = await this.#carryOut(row, operation, next);
        return again === "go on" ? 0 : again;
      }
      const waitMs = backoffMs(attempts - 1, retryBackoff);
      await templates.change(row, { attempts, look_at: new Date(clock.now() + waitMs) });
      if (operation && name) await journal.step(operation, name, `${failure.message} Trying again.`);
      return waitMs;
    } catch (databaseError) {
      log.error({ templateId: row.id, err: databaseError }, "a failed step could not be written down");
      return retryBackoff.maxMs;
    }
  }

  /** The build has failed; its operation ends when what it has made is gone. */
  async #giveUp(
    row: TemplateRow,
    operation: OperationRow | undefined,
    name: StepName | undefined,
    failure: Failure,
  ): Promise<"go on"> {
    const step = name ?? runningStep(operation)?.name;
    if (operation && step) {
      const taking = row.vmid === null ? "" : ` Taking ${containerOf(row)} away again.`;
      await this.#deps.journal.step(operation, stepOf(step), `${failure.message}${taking}`);
    }
    await this.#discard(row, failure);
    return "go on";
  }

  #discard(row: TemplateRow, failure: Failure | null): Promise<void> {
    return this.#deps.templates.change(row, {
      state: "discarding",
      state_since: this.#now(),
      error: failure && JSON.stringify(failure),
      attempts: 0,
      look_at: this.#now(),
    });
  }

  /** Nothing of the build is left: its operation ends, and then its row goes. */
  async #forget(row: TemplateRow, operation: OperationRow | undefined): Promise<undefined> {
    if (operation) await this.#end(operation, row.error);
    await this.#deps.templates.remove(row.id);
  }

  /** What the build has made could not be taken away: its operation ends all the same, and it is tried now and then. */
  async #leave(row: TemplateRow, operation: OperationRow | undefined, why: Failure): Promise<number> {
    if (operation) {
      const cause = row.error ?? { code: "cancelled", message: "The build was cancelled." };
      await this.#deps.journal.fail(operation, undefined, {
        code: cause.code,
        message: `${cause.message} And ${containerOf(row)} could not be taken away again: ${why.message}`,
        hint: [cause.hint, why.hint].filter((hint) => hint !== undefined).join(" "),
      });
    }
    await this.#deps.templates.change(row, {
      attempts: 0,
      state_since: this.#now(),
      look_at: new Date(this.#deps.clock.now() + leftoverMs),
    });
    return leftoverMs;
  }

  async #end(operation: OperationRow, failure: Failure | null): Promise<void> {
    if (failure) await this.#deps.journal.fail(operation, undefined, failure);
    else await this.#deps.journal.cancel(operation);
  }

  #now(): Date {
    return new Date(this.#deps.clock.now());
  }
}

const endless = new StepFailure(
  {
    code: "step_endless",
    message: "The step did not end within an hour.",
    hint: "Look at the task in Proxmox, or at the container's console; then build again.",
  },
  { retry: false },
);

function wantedOf(row: TemplateRow, operation: OperationRow | undefined): WantedTemplate {
  const running = runningStep(operation);
  return {
    end: row.state === "building" ? "template" : "gone",
    since: row.state_since.getTime(),
    vmid: row.vmid,
    archiveFound: row.archive !== null,
    askedAt: row.asked_at?.getTime(),
    made: row.made,
    verified: row.host_keys !== null,
    sent: row.sent,
    provisioned: row.provisioned,
    proved: row.proved,
    running: running?.startedAt ? { name: running.name, since: Date.parse(running.startedAt) } : undefined,
  };
}

function runningStep(operation: OperationRow | undefined) {
  return operation?.steps.find((step) => step.state === "running");
}

function isClearing(step: BuildingAction | ClearingAction | "adopt"): step is ClearingAction {
  return Object.hasOwn(clearingActions, step);
}

/** A task that failed for a reason of its own fails again; a call that was refused for one may not. */
function isTaskFailure(error: unknown): boolean {
  return isProxmoxError(error, "other") && error.status === undefined;
}
