import { uptime } from "node:os";
import type { Clock } from "@berth/base";
import type { Caller } from "../access/caller.ts";
import { presentTaskFault, type TaskFault } from "../faults/task-fault.ts";
import { type JournalEntry, TaskJournal } from "./journal.ts";
import { Interrupted, type Task, type TaskContext, type Worker, WorkerKilled, wasKilled } from "./task.ts";
import { formatUpid, parseUpid } from "./upid.ts";

/** Finished tasks kept over a restart. */
const keptTasks = 500;
/** Kept lines of one task's log. */
const maxLogLines = 10_000;

/** What to run, and in whose name. */
export interface TaskOrder {
  readonly type: string;
  readonly id: string;
  readonly caller: Caller;
  /** The worker calls `checkpoint` itself; otherwise that is passed before it begins. */
  readonly ownCheckpoint?: boolean;
}

/** The tasks of a host, or of them all. */
export interface Tasks {
  /** The newest first. */
  all(): Task[];
  get(upid: string): Task | undefined;
  /** Starts a task and answers its UPID once the task would survive a crash as one that was begun. */
  start(order: TaskOrder, worker: Worker): Promise<string>;
  /** Interrupts a running task; one that has ended stays as it is. */
  stop(upid: string): void;
  /** Resolves when a task has ended well; otherwise rejects with its exit status. */
  ended(upid: string): Promise<void>;
  onNode(node: string): Tasks;
}

/** Runs tasks and remembers them, over restarts too. */
export class TaskList implements Tasks, AsyncDisposable {
  readonly #node: string;
  readonly #clock: Clock;
  readonly #journal: TaskJournal;
  readonly #tasks: Map<string, Task>;
  readonly #running = new Map<string, { abort: AbortController; done: Promise<void> }>();
  #nextPid = 1000 + Math.floor(Math.random() * 3_000_000);

  private constructor(node: string, clock: Clock, journal: TaskJournal, tasks: Map<string, Task>) {
    this.#node = node;
    this.#clock = clock;
    this.#journal = journal;
    this.#tasks = tasks;
  }

  /**
   * Reads the tasks of earlier runs. One that was running then had its worker killed with the emulator: its exit
   * status is `unexpected status`, as PVE reports it.
   */
  static async open(path: string, node: string, clock: Clock): Promise<TaskList> {
    const { entries, torn } = await TaskJournal.read(path);
    const tasks = tasksOf(entries);
    const crashed = [...tasks.values()].filter((task) => task.exitstatus === undefined);
    for (const task of crashed) {
      task.exitstatus = "unexpected status";
      task.endtime = seconds(clock);
    }
    const surplus = tasks.size - keptTasks;
    if (surplus <= keptTasks && !torn && crashed.length === 0) {
      return new TaskList(node, clock, await TaskJournal.append(path), tasks);
    }
    for (const upid of [...tasks.keys()].slice(0, Math.max(0, surplus))) tasks.delete(upid);
    const journal = await TaskJournal.rewrite(path, [...tasks.values()].flatMap(entriesOf));
    return new TaskList(node, clock, journal, tasks);
  }

  /** All tasks, the newest first. */
  all(): Task[] {
    return [...this.#tasks.values()].reverse();
  }

  get(upid: string): Task | undefined {
    return this.#tasks.get(upid);
  }

  start(order: TaskOrder, worker: Worker): Promise<string> {
    return this.#start(this.#node, order, worker);
  }

  /** Those of one host. A worker's process belongs to one, so another's name is another task's. */
  onNode(node: string): Tasks {
    return {
      all: () => this.all().filter(({ parts }) => parts.node === node),
      get: (upid) => (parseUpid(upid)?.node === node ? this.get(upid) : undefined),
      start: (order, worker) => this.#start(node, order, worker),
      stop: (upid) => this.stop(upid),
      ended: (upid) => this.ended(upid),
      onNode: (other) => this.onNode(other),
    };
  }

  /** Has a host's workers vanish, as when it dies: they clean nothing up. Resolves when none runs any more. */
  async killAll(node: string): Promise<void> {
    const running = [...this.#running].filter(([upid]) => parseUpid(upid)?.node === node).map(([, one]) => one);
    for (const { abort } of running) abort.abort(new WorkerKilled());
    await Promise.all(running.map(({ done }) => done));
  }

  async #start(node: string, order: TaskOrder, worker: Worker): Promise<string> {
    this.#nextPid = this.#nextPid >= 4_194_304 ? 1000 : this.#nextPid + 1;
    const parts = {
      node,
      pid: this.#nextPid,
      pstart: Math.floor(uptime() * 100),
      starttime: seconds(this.#clock),
      type: order.type,
      id: order.id,
      owner: order.caller.id,
    };
    const task: Task = { upid: formatUpid(parts), parts, log: [] };
    this.#tasks.set(task.upid, task);
    this.#forgetOldest();
    const abort = new AbortController();
    const guarded = withFault(worker, presentTaskFault(), order.ownCheckpoint ?? false);
    const begun = this.#journal.write([{ upid: task.upid, start: true }], true);
    const done = begun.then(() => this.#run(task, guarded, abort.signal)).catch(() => {});
    this.#running.set(task.upid, { abort, done });
    await begun;
    return task.upid;
  }

  /** Interrupts a running task; one that has ended stays as it is. */
  stop(upid: string): void {
    this.#running.get(upid)?.abort.abort(new Interrupted());
  }

  async ended(upid: string): Promise<void> {
    await this.#running.get(upid)?.done;
    const exitstatus = this.get(upid)?.exitstatus;
    if (exitstatus !== "OK") throw new Error(exitstatus ?? `no task ${upid}`);
  }

  /** Interrupts all tasks and waits for their end. */
  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort(new Interrupted());
    await Promise.all(running.map(({ done }) => done));
    await this.#journal[Symbol.asyncDispose]();
  }

  /** Keeps memory bounded; the journal is shortened at the next start. */
  #forgetOldest(): void {
    for (const [upid, task] of this.#tasks) {
      if (this.#tasks.size <= 2 * keptTasks) return;
      if (task.exitstatus !== undefined) this.#tasks.delete(upid);
    }
  }

  async #run(task: Task, worker: GuardedWorker, signal: AbortSignal): Promise<void> {
    const log = (line: string) => {
      if (task.log.length < maxLogLines) task.log.push(line);
    };
    let exitstatus = "OK";
    try {
      await worker({ log, signal });
      log("TASK OK");
    } catch (error) {
      const killed = wasKilled(error, signal);
      const reason = killed ? new WorkerKilled() : error;
      exitstatus = firstLine(reason instanceof Error ? reason.message : String(reason));
      if (!killed) log(`TASK ERROR: ${exitstatus}`);
    }
    const endtime = seconds(this.#clock);
    const lines = task.log.map((line): JournalEntry => ({ upid: task.upid, line }));
    await this.#journal.write([...lines, { upid: task.upid, end: exitstatus, endtime }], true);
    task.exitstatus = exitstatus;
    task.endtime = endtime;
    this.#running.delete(task.upid);
  }
}

/** A worker that passes its checkpoint by itself. */
type GuardedWorker = (context: Omit<TaskContext, "checkpoint">) => Promise<void>;

/** The worker, befallen by what was asked for. */
function withFault(worker: Worker, fault: TaskFault | undefined, ownCheckpoint: boolean): GuardedWorker {
  return async (context) => {
    const checkpoint = async () => fault?.happen("before", context.signal);
    if (!ownCheckpoint) await checkpoint();
    await worker({ ...context, checkpoint });
    await fault?.happen("after", context.signal);
  };
}

function tasksOf(entries: readonly JournalEntry[]): Map<string, Task> {
  const tasks = new Map<string, Task>();
  for (const entry of entries) {
    const parts = parseUpid(entry.upid);
    if (!parts) continue;
    const task = tasks.get(entry.upid) ?? { upid: entry.upid, parts, log: [] };
    tasks.set(entry.upid, task);
    if ("line" in entry) task.log.push(entry.line);
    if ("end" in entry) {
      task.exitstatus = entry.end;
      task.endtime = entry.endtime;
    }
  }
  return tasks;
}

function entriesOf(task: Task): JournalEntry[] {
  const { upid, log, exitstatus, endtime } = task;
  const end = exitstatus === undefined || endtime === undefined ? [] : [{ upid, end: exitstatus, endtime }];
  return [{ upid, start: true }, ...log.map((line) => ({ upid, line })), ...end];
}

const seconds = (clock: Clock) => Math.floor(clock.now() / 1000);
const firstLine = (message: string) => message.split("\n")[0] ?? "";
