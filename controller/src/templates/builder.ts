import { after, backoffMs, unreachable } from "@berth/base";
import type { StepName } from "@berth/protocol";
import { isProxmoxError } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import type { OperationRow } from "../operations/record.ts";
import { judge, StepFailure, Superseded } from "../sandboxes/failures.ts";
import { stepOf } from "../sandboxes/tasks.ts";
import { type BuildingAction, buildingActions, type ClearingAction, clearingActions } from "./actions.ts";
import type { BuildEndings } from "./endings.ts";
import { observeBuild } from "./observe.ts";
import { type BuildPlan, planBuild, type WantedTemplate } from "./plan.ts";
import { runningStep, type TemplateRow } from "./record.ts";
import { converted } from "./steps/convert.ts";
import type { BuildDependencies } from "./steps/dependencies.ts";

export interface TemplateBuilderDependencies extends Omit<BuildDependencies, "tasks"> {
  endings: BuildEndings;
  /** Runs tasks as long as the signal is not aborted. */
  tasksUntil(signal: AbortSignal): BuildDependencies["tasks"];
  log: FastifyBaseLogger;
}

const retryBackoff = { firstMs: 500, maxMs: 15_000 };
/** A person waits for a build, and can begin another: what passes by itself does so within a few minutes. */
const maxTries = 10;
/** Nothing that a build waits for takes this long, in milliseconds: neither a download nor an installation. */
const stepLimitMs = 60 * 60_000;

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
          ? await this.#deps.endings.giveUp(row, operation, next.name, next.failure)
          : await this.#deps.endings.leave(row, operation, next.failure);
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
    if (step === "forget") return await this.#deps.endings.forget(row, operation);
    if (isClearing(step)) {
      await clearingActions[step](this.#deps, row);
      return "go on";
    }
    // A build whose operation has ended is wanted by nobody.
    if (!operation) {
      await this.#deps.endings.discard(row, null);
      return "go on";
    }
    if (name) await this.#deps.journal.step(operation, name);
    if (step === "adopt") {
      await this.#interruptible(row, (signal) =>
        converted({ ...this.#deps, tasks: this.#deps.tasksUntil(signal) }, row, operation, step),
      );
      return await this.#deps.endings.adopt(row, operation);
    }
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

  async #afterError(row: TemplateRow, name: StepName | undefined, error: unknown): Promise<number | undefined> {
    const { failure, tries } = judge(error);
    const { templates, journal, clock, log } = this.#deps;
    const attempts = row.attempts + 1;
    try {
      const operation = row.operation_id === null ? undefined : await journal.open(row.operation_id);
      if (attempts >= triesOf(error, tries)) {
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

function isClearing(step: BuildingAction | ClearingAction | "adopt"): step is ClearingAction {
  return Object.hasOwn(clearingActions, step);
}

/** How often a step is tried: fewer times than one of a sandbox, but for a Proxmox that is away altogether. */
function triesOf(error: unknown, tries: number): number {
  // A task that failed for a reason of its own fails again; a call that was refused for one may not.
  if (isProxmoxError(error, "other") && error.status === undefined) return 1;
  return tries === Number.POSITIVE_INFINITY ? tries : Math.min(tries, maxTries);
}
