import { type Clock, SerialQueue } from "@berth/base";
import { operationSteps, type StepName } from "@berth/protocol";
import { isProxmoxError, type ProxmoxClient, type ProxmoxFailureKind } from "@berth/proxmox";
import type { OperationJournal } from "../operations/journal.ts";
import type { OperationRow } from "../operations/record.ts";
import type { NotedTask } from "../store/tables.ts";
import { TaskWatch } from "./task-watch.ts";

export interface TaskRunnerDependencies<Row> {
  client: ProxmoxClient;
  journal: OperationJournal;
  /** Writes the task down in the row, and in the copy that is given. */
  note(row: Row, task: NotedTask | null): Promise<void>;
  clock: Clock;
  signal: AbortSignal;
}

/** How a task is followed. */
export interface FollowOptions {
  /** Failures of the task that say that what is wanted is so already. */
  alreadyThere?: readonly ProxmoxFailureKind[];
  /** What the task makes is not wanted any more: it is stopped if it does not end soon. */
  unwanted?: boolean;
}

/** Runs Proxmox tasks: begins them, writes their id down in a row, follows their log, and tells how they ended. */
export class TaskRunner<Row extends { readonly task: NotedTask | null }> {
  readonly #deps: TaskRunnerDependencies<Row>;
  /** By what is cloned; bounded by the templates and sandboxes that there are. */
  readonly #cloning = new Map<number, SerialQueue>();

  constructor(dependencies: TaskRunnerDependencies<Row>) {
    this.#deps = dependencies;
  }

  /**
   * Begins a task and waits for its end. `alreadyThere` names the refusals that say that what is wanted is so already.
   * Throws a ProxmoxError when the call is refused or the task fails.
   */
  async run(
    row: Row,
    operation: OperationRow,
    step: StepName,
    begin: () => Promise<string>,
    alreadyThere: readonly ProxmoxFailureKind[],
  ): Promise<void> {
    const upid = await this.#begin(begin, alreadyThere);
    if (upid === undefined) return;
    const logged = await this.#deps.journal.proxmoxLines(operation, step);
    const task = { upid, step, logged };
    await this.#deps.note(row, task);
    await this.#follow(row, operation, task, 0, { alreadyThere });
  }

  /** The same, one at a time among those of one source, which Proxmox locks for it. */
  runAlone(
    row: Row,
    operation: OperationRow,
    step: StepName,
    { source, begin }: { source: number; begin: () => Promise<string> },
  ): Promise<void> {
    const queue = this.#cloning.get(source) ?? new SerialQueue();
    this.#cloning.set(source, queue);
    return queue.run(() => this.run(row, operation, step, begin, []));
  }

  /** Waits for the end of the task that is written down in a row, after a restart too. */
  async follow(row: Row, operation: OperationRow, options: FollowOptions = {}): Promise<void> {
    const task = row.task;
    if (!task) return;
    // Lines of this task that were written down before a restart are not written again.
    const known = (await this.#deps.journal.proxmoxLines(operation, stepOf(task.step))) - task.logged;
    await this.#follow(row, operation, task, known, options);
  }

  async #follow(
    row: Row,
    operation: OperationRow,
    task: NotedTask,
    known: number,
    { alreadyThere = [], unwanted = false }: FollowOptions,
  ): Promise<void> {
    const { client, clock, journal, note, signal } = this.#deps;
    const step = stepOf(task.step);
    const watch = new TaskWatch({ client, journal, clock, operation, step, upid: task.upid, unwanted });
    try {
      const result = await client.tasks.wait(task.upid, {
        signal: AbortSignal.any([signal, watch.signal]),
        onLog: (line, number) => (number > known ? journal.log(operation, step, "proxmox", line) : undefined),
      });
      await note(row, null);
      if (result.error && !isAlready(result.error, alreadyThere)) throw result.error;
    } catch (error) {
      // A task that Proxmox does not know any more has ended; what it did is seen by looking.
      if (isProxmoxError(error, "invalid")) await note(row, null);
      else throw error;
    } finally {
      watch.end();
    }
  }

  async #begin(begin: () => Promise<string>, alreadyThere: readonly ProxmoxFailureKind[]): Promise<string | undefined> {
    try {
      return await begin();
    } catch (error) {
      if (isAlready(error, alreadyThere)) return undefined;
      throw error;
    }
  }
}

/** Without kinds to tell apart, `isProxmoxError` would take any. */
function isAlready(error: unknown, alreadyThere: readonly ProxmoxFailureKind[]): boolean {
  return alreadyThere.length > 0 && isProxmoxError(error, ...alreadyThere);
}

/** The step's name as it was written down; it came from this program. */
export function stepOf(text: string): StepName {
  const names: readonly StepName[] = Object.values(operationSteps).flat();
  return names.find((name) => name === text) ?? "ready";
}
