import { SerialQueue } from "@berth/base";
import type { StepName } from "@berth/protocol";
import { isProxmoxError, type ProxmoxClient, type ProxmoxFailureKind } from "@berth/proxmox";
import type { OperationJournal } from "../operations/journal.ts";
import type { OperationRow } from "../operations/record.ts";
import type { SandboxRow } from "./record.ts";
import type { Sandboxes } from "./repository.ts";

export interface TaskRunnerDependencies {
  client: ProxmoxClient;
  sandboxes: Sandboxes;
  journal: OperationJournal;
  signal: AbortSignal;
}

/** Runs Proxmox tasks for sandboxes: begins them, writes their id down, follows their log, and tells how they ended. */
export class TaskRunner {
  readonly #deps: TaskRunnerDependencies;
  readonly #cloning = new SerialQueue();

  constructor(dependencies: TaskRunnerDependencies) {
    this.#deps = dependencies;
  }

  /**
   * Begins a task and waits for its end. `alreadyThere` names the refusals that say that what is wanted is so already.
   * Throws a ProxmoxError when the call is refused or the task fails.
   */
  async run(
    row: SandboxRow,
    operation: OperationRow,
    step: StepName,
    begin: () => Promise<string>,
    alreadyThere: readonly ProxmoxFailureKind[],
  ): Promise<void> {
    const upid = await this.#begin(begin, alreadyThere);
    if (upid === undefined) return;
    const logged = await this.#deps.journal.proxmoxLines(operation, step);
    await this.#deps.sandboxes.change(row, { task: JSON.stringify({ upid, step, logged }) });
    await this.follow(row, operation, alreadyThere);
  }

  /** The same, one at a time among those that run alone. */
  runAlone(row: SandboxRow, operation: OperationRow, step: StepName, begin: () => Promise<string>): Promise<void> {
    return this.#cloning.run(() => this.run(row, operation, step, begin, []));
  }

  /** Waits for the end of the task that is written down for a sandbox, after a restart too. */
  async follow(
    row: SandboxRow,
    operation: OperationRow,
    alreadyThere: readonly ProxmoxFailureKind[] = [],
  ): Promise<void> {
    const { client, journal, sandboxes, signal } = this.#deps;
    const task = row.task;
    if (!task) return;
    const step = stepOf(task.step);
    // Lines of this task that were written down before a restart are not written again.
    const known = (await journal.proxmoxLines(operation, step)) - task.logged;
    try {
      const result = await client.tasks.wait(task.upid, {
        signal,
        onLog: (line, number) => (number > known ? journal.log(operation, step, "proxmox", line) : undefined),
      });
      await sandboxes.change(row, { task: null });
      if (result.error && !isProxmoxError(result.error, ...alreadyThere)) throw result.error;
    } catch (error) {
      // A task that Proxmox does not know any more has ended; what it did is seen by looking.
      if (isProxmoxError(error, "invalid")) await sandboxes.change(row, { task: null });
      else throw error;
    }
  }

  async #begin(begin: () => Promise<string>, alreadyThere: readonly ProxmoxFailureKind[]): Promise<string | undefined> {
    try {
      return await begin();
    } catch (error) {
      if (alreadyThere.length > 0 && isProxmoxError(error, ...alreadyThere)) return undefined;
      throw error;
    }
  }
}

/** The step's name as it was written down; it came from this program. */
export function stepOf(text: string): StepName {
  const names: readonly StepName[] = [
    "reserve",
    "clone",
    "configure",
    "start",
    "address",
    "bootstrap",
    "agent",
    "ready",
    "stop",
    "delete",
    "forget",
  ];
  return names.find((name) => name === text) ?? "ready";
}
