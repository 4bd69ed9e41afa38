import type { UpidParts } from "./upid.ts";

/** What a worker may do while it runs. */
export interface TaskContext {
  /** Appends a line to the task's log. */
  log(line: string): void;
  /** Aborted when somebody stops the task, or the emulator ends. */
  readonly signal: AbortSignal;
  /**
   * For workers that were ordered with `ownCheckpoint`: to be called where they begin their work, with everything that
   * they clean up after a failure under way. A test may have it fail there, or stay.
   */
  checkpoint(): Promise<void>;
}

/** A worker: it throws what becomes the task's exit status. */
export type Worker = (context: TaskContext) => Promise<void>;

/** Thrown by workers that were stopped. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted by signal");
  }
}

/** Thrown into a worker that is killed: it must not clean up, for it is gone. */
export class WorkerKilled extends Error {
  constructor() {
    super("unexpected status");
  }
}

/** Whether the worker is gone, and with it whoever would clean up: what it threw, or that its host died under it. */
export function wasKilled(error: unknown, signal: AbortSignal): boolean {
  return error instanceof WorkerKilled || signal.reason instanceof WorkerKilled;
}

/** A task and its log. */
export interface Task {
  readonly upid: string;
  readonly parts: UpidParts;
  readonly log: string[];
  /** `OK` or what went wrong; undefined while it runs. */
  exitstatus?: string;
  /** Unix time in seconds. */
  endtime?: number;
}
