import { type Clock, systemClock } from "@berth/base";
import type { TaskLogLine, TaskLogPage, TaskStatus } from "../api/tasks.ts";
import { isProxmoxError, type ProxmoxError, proxmoxError } from "../error.ts";
import { failureOfText } from "../refusal.ts";
import type { CallOptions } from "../transport-options.ts";

/** Where a task's state and log are read; `TasksApi` is one. */
export interface TaskSource {
  status(upid: string, call?: CallOptions): Promise<TaskStatus>;
  log(upid: string, range: { start: number; limit: number }, call?: CallOptions): Promise<TaskLogPage>;
}

/** How to wait for a task. */
export interface WaitOptions {
  /** Called with each line of the log, in order and exactly once; the next waits for its promise. */
  readonly onLog?: ((line: string, number: number) => void | Promise<void>) | undefined;
  /** Ends the waiting, not the task; rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /**
   * Longest wait between two looks at a task that runs for some seconds. The first are shorter: many tasks end within a
   * second. Those at a task that runs for long are up to ten times as far apart. Default 500.
   */
  readonly pollMs?: number | undefined;
  /** How many tasks are waited for at this moment: many at once are each looked at less often. Default 1. */
  readonly atOnce?: (() => number) | undefined;
  /** How often the log is read while the task runs; the rest is read when it has ended. Default 400. */
  readonly logEveryMs?: number | undefined;
  /** How long the node may be silent before the waiting is given up. Default 120 000. */
  readonly graceMs?: number | undefined;
}

/** How a task ended. */
export interface TaskResult {
  /** It did its work, perhaps with warnings. */
  readonly ok: boolean;
  /** `OK`, `WARNINGS: n`, or what went wrong. */
  readonly exitStatus: string;
  readonly warnings: number;
  /** What went wrong, its kind read from the exit status (`locked`, `missing`, …); undefined if ok. */
  readonly error: ProxmoxError | undefined;
}

/** Wait before the first look at a task, while few are waited for; the waits grow from there. */
const FIRST_POLL_MS = 15;
/** Wait between two looks at a task that is young, while few are waited for. */
const YOUNG_POLL_MS = 100;
/** As many as are looked at so often. */
const FEW = 4;
const LOG_PAGE_LINES = 500;

/**
 * Waits until a task has ended. The log is read to its end before this resolves. Looks that fail for want of an answer
 * are repeated until the node was silent for `graceMs`; a refusal (no rights, unknown task) rejects at once.
 */
export async function waitForTask(source: TaskSource, upid: string, options: WaitOptions = {}): Promise<TaskResult> {
  const clock = options.clock ?? systemClock;
  const pollMs = options.pollMs ?? 500;
  const graceMs = options.graceMs ?? 120_000;
  const logEveryMs = options.logEveryMs ?? 400;
  const log = new LogFollower(source, upid, options);
  const atOnce = () => options.atOnce?.() ?? 1;
  let waitMs = Math.min(atOnce() > FEW ? YOUNG_POLL_MS : FIRST_POLL_MS, pollMs);
  const begunAt = clock.now();
  let heardAt = begunAt;
  let logReadAt = begunAt;
  while (true) {
    // Before the first look too: hardly a task has ended when its id comes back.
    await clock.sleep(waitMs, options.signal);
    try {
      // The status first: what a task wrote before it ended is then surely in the log that is read after.
      const status = await source.status(upid, { signal: options.signal });
      if (!status.running || clock.now() - logReadAt >= logEveryMs) {
        await log.follow(status.running);
        logReadAt = clock.now();
      }
      heardAt = clock.now();
      if (!status.running) return resultOf(upid, status.exitStatus ?? "unexpected status");
    } catch (error) {
      if (!isHiccup(error) || clock.now() - heardAt >= graceMs) throw error;
    }
    const longestMs = longestWaitMs(clock.now() - begunAt, atOnce(), pollMs);
    waitMs = Math.min(longestMs, Math.ceil(waitMs * 1.5));
  }
}

/** A fortieth of its time is what a task that runs for seconds is noticed late by; a node that does much is asked little. */
function longestWaitMs(runningMs: number, atOnce: number, pollMs: number): number {
  const youngMs = Math.max(YOUNG_POLL_MS * Math.max(1, atOnce / FEW), runningMs / 40);
  const oldMs = Math.min(10 * pollMs, Math.max(pollMs, runningMs / 60));
  return Math.min(youngMs, oldMs);
}

/** Want of an answer, which says nothing about the task. */
function isHiccup(error: unknown): boolean {
  if (isProxmoxError(error, "unreachable", "timeout", "node_offline", "lock_timeout")) return true;
  // Unknown 5xx texts as well: a node's services answer with all kinds of them while they are restarted.
  return isProxmoxError(error, "other") && error.status !== undefined && error.status >= 500 && error.status !== 501;
}

function resultOf(upid: string, exitStatus: string): TaskResult {
  const warnings = Number(/^WARNINGS: (\d+)$/.exec(exitStatus)?.[1] ?? 0);
  const ok = exitStatus === "OK" || warnings > 0;
  const error = ok ? undefined : proxmoxError(failureOfText(exitStatus), { path: upid, mayHaveActed: true });
  return { ok, exitStatus, warnings, error };
}

/** Hands on a growing log, each line once. */
class LogFollower {
  readonly #source: TaskSource;
  readonly #upid: string;
  readonly #options: WaitOptions;
  #emitted = 0;
  #held: TaskLogLine | undefined;

  constructor(source: TaskSource, upid: string, options: WaitOptions) {
    this.#source = source;
    this.#upid = upid;
    this.#options = options;
  }

  /**
   * Hands on what is new. While the task runs, the last line may be half written: it is held until it has a successor
   * or was read the same twice.
   */
  async follow(running: boolean): Promise<void> {
    const { onLog, signal } = this.#options;
    if (!onLog) return;
    while (true) {
      const before = this.#emitted;
      const page = await this.#source.log(this.#upid, { start: this.#emitted, limit: LOG_PAGE_LINES }, { signal });
      for (const line of page.lines) {
        if (line.number <= this.#emitted) continue;
        if (running && line.number >= page.total && !this.#seenBefore(line)) {
          this.#held = line;
          return;
        }
        // Counted first: a line whose receiver failed is not handed on a second time.
        this.#emitted = line.number;
        await onLog(line.text, line.number);
      }
      // Without progress there is no sense in asking for more at once, whatever `total` says.
      if (this.#emitted === before || this.#emitted >= page.total) return;
    }
  }

  #seenBefore(line: TaskLogLine): boolean {
    return this.#held?.number === line.number && this.#held.text === line.text;
  }
}
