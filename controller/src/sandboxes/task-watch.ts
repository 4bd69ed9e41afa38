import { type Clock, every } from "@berth/base";
import type { StepName } from "@berth/protocol";
import { type ContainerRef, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { OperationJournal } from "../operations/journal.ts";
import type { OperationRow } from "../operations/record.ts";
import { StepFailure, Superseded } from "./failures.ts";

export interface TaskWatchOptions {
  readonly client: { readonly tasks: Pick<ProxmoxClient["tasks"], "stop"> };
  readonly journal: Pick<OperationJournal, "hasEnded" | "step">;
  readonly clock: Clock;
  readonly operation: OperationRow;
  readonly step: StepName;
  readonly upid: string;
  /** What it makes is not wanted any more: after a while Proxmox is asked to stop it. */
  readonly unwanted: boolean;
}

const minuteMs = 60_000;
const lookMs = 5_000;
/** From when on people are told that it takes long. */
const slowMs = 2 * minuteMs;
/** A clone that is stopped may leave its locks behind, so only one that does not end by itself is. */
const stopUnwantedMs = minuteMs;

interface TaskLimits {
  readonly ofStep: Partial<Record<StepName, number>>;
  readonly ofOthers: number;
  /** Of a task that was asked to stop. */
  readonly unwanted: number;
}

/** How long a task may run, in minutes, before it is taken for one that never ends. */
export const taskLimits: TaskLimits = {
  ofStep: {
    ...{ clone: 60, configure: 15, start: 10, stop: 10, delete: 30 },
    ...{ change: 15, snapshot: 15, delete_snapshot: 30, release: 30, rollback: 60 },
  },
  ofOthers: 120,
  unwanted: 4,
};

/**
 * Watches over the waiting for one task: says when it takes long, and ends the waiting, by its signal, when nobody wants
 * it any more (`Superseded`) or when the task seems to have no end (`StepFailure`). The task itself goes on.
 */
export class TaskWatch {
  readonly #options: TaskWatchOptions;
  readonly #over = new AbortController();
  readonly #since: number;
  readonly #callOff: () => void;
  #toldMinutes = 0;
  #stopped = false;

  constructor(options: TaskWatchOptions) {
    this.#options = options;
    this.#since = options.clock.now();
    this.#callOff = every(options.clock, lookMs, () => void this.#look().catch(() => {}));
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  end(): void {
    this.#callOff();
  }

  async #look(): Promise<void> {
    const { client, clock, journal, operation, step, upid, unwanted } = this.#options;
    if (await journal.hasEnded(operation)) return this.#over.abort(new Superseded());
    const ms = clock.now() - this.#since;
    const limit = unwanted ? taskLimits.unwanted : (taskLimits.ofStep[step] ?? taskLimits.ofOthers);
    if (ms > limit * minuteMs) return this.#over.abort(endless(upid, limit));
    if (unwanted && ms > stopUnwantedMs && !this.#stopped) {
      this.#stopped = true;
      await client.tasks.stop(upid);
    }
    const minutes = Math.floor(ms / minuteMs);
    if (ms < slowMs || minutes === this.#toldMinutes) return;
    this.#toldMinutes = minutes;
    await journal.step(operation, step, `Proxmox has worked on it for ${minutes} minutes: ${upid}`);
  }
}

function endless(upid: string, minutes: number): StepFailure {
  return new StepFailure(
    {
      code: "task_endless",
      message: `A task of Proxmox has not ended within ${minutes} minutes.`,
      hint: `Look at its log in Proxmox: ${upid} (the node, Task History). If it hangs, stop it there; then try again.`,
    },
    { retry: false },
  );
}

/**
 * Begins a task on a container. If the answer is lost, the task of this type that runs on the container is the one that
 * was begun: so that nothing that is on its way is asked for again.
 */
export async function beginOn(
  client: { readonly tasks: Pick<ProxmoxClient["tasks"], "list"> },
  at: ContainerRef,
  type: string,
  begin: () => Promise<string>,
): Promise<string> {
  try {
    return await begin();
  } catch (error) {
    if (!isProxmoxError(error) || !error.mayHaveActed) throw error;
    const running = await client.tasks.list(at.node, { vmid: at.vmid, type, source: "active" }).catch(() => []);
    const [newest] = running.toSorted((a, b) => b.startedAtSeconds - a.startedAtSeconds);
    if (!newest) throw error;
    return newest.upid;
  }
}
