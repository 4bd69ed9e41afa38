import { AsyncLocalStorage } from "node:async_hooks";
import type { Static } from "typebox";
import { Interrupted, WorkerKilled } from "../tasks/task.ts";
import type { taskFaultSchema } from "./fault.ts";
import type { Mishap } from "./fault-rules.ts";

/** What befalls the task that a call starts. */
export class TaskFault {
  readonly #fault: Static<typeof taskFaultSchema>;
  readonly #released: AbortSignal;

  constructor(fault: Static<typeof taskFaultSchema>, released: AbortSignal) {
    this.#fault = fault;
    this.#released = released;
  }

  /** Happens now, if this is when it is to happen: rejects with what ends the task, or waits. */
  async happen(when: "before" | "after", stopped: AbortSignal): Promise<void> {
    const { end, reason } = this.#fault;
    if ((this.#fault.when ?? "before") !== when) return;
    if (end === "kill") throw new WorkerKilled();
    if (end === "fail") throw new Error(reason ?? "command 'fault-injection' failed: exit code 1");
    await either(this.#released, stopped);
    if (stopped.aborted) throw new Interrupted();
  }
}

const ofThisCall = new AsyncLocalStorage<TaskFault>();

/** Handles a call whose task, if it starts one, is to go wrong. */
export function withTaskFault<T>({ fault, released }: Mishap, handle: () => Promise<T>): Promise<T> {
  return fault.kind === "task" ? ofThisCall.run(new TaskFault(fault, released), handle) : handle();
}

/** What befalls the task that is being started now. */
export function presentTaskFault(): TaskFault | undefined {
  return ofThisCall.getStore();
}

function either(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const any = AbortSignal.any([...signals]);
    if (any.aborted) resolve();
    else any.addEventListener("abort", () => resolve(), { once: true });
  });
}
