import { BerthError, type UnsavedWork } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { SandboxRepository } from "./sandbox-repository.ts";
import { askUnsaved, isUnsaved, tellUnsaved, unknownWork } from "./unsaved.ts";

export interface DestroyGuardDependencies {
  readonly log: FastifyBaseLogger;
  /** The agent is certain that nothing is unsaved there. */
  hasNothing(sandboxId: string, signal: AbortSignal): Promise<boolean>;
  repository(row: SandboxRow, signal?: AbortSignal): Promise<SandboxRepository>;
  /** A sandbox as it is once it is woken, if it slept. Rejects with a `BerthError`. */
  awake(row: SandboxRow): Promise<SandboxRow>;
}

/** Who wants to delete a sandbox waits no longer for an answer from it. */
const answerMs = 10_000;

/** Of that for the agent's; after it there is time for the other way. */
const agentMs = 5_000;
const nothing: UnsavedWork = { ...unknownWork, known: true };

/** Sees to it that nobody destroys work that is nowhere else without having been told. */
export class DestroyGuard {
  readonly #deps: DestroyGuardDependencies;

  constructor(dependencies: DestroyGuardDependencies) {
    this.#deps = dependencies;
  }

  /** What would be lost with a sandbox. Never rejects: one that is off, or does not answer, is unknown. */
  async look(row: SandboxRow): Promise<UnsavedWork> {
    if (!isReachable(row)) return unknownWork;
    const signal = AbortSignal.timeout(answerMs);
    try {
      return await withinSignal(this.#ask(row, signal), signal);
    } catch (error) {
      this.#deps.log.info({ sandboxId: row.id, err: error }, "a sandbox could not be asked for unsaved work");
      return unknownWork;
    }
  }

  /**
   * Answers whether there is something to keep. Throws `unsaved_work` where something would be lost and the caller has
   * not said that it may be. A sandbox that is no project's and cannot be asked may go: most have never had a repository.
   */
  async permit(row: SandboxRow, discard: boolean): Promise<{ keep: boolean }> {
    // What was never filled was nobody's to work in.
    const isProject = row.project_id !== null && row.workspace_filled;
    const isAsleep = row.state === "asleep";
    if (row.state === "destroying" || !(isReachable(row) || isAsleep || isProject)) return { keep: false };
    const work = await this.look(isAsleep ? await this.#awake(row) : row);
    if (!work.known) {
      if (isProject && !discard) throw unknown(row);
      return { keep: false };
    }
    if (!isUnsaved(work)) return { keep: false };
    if (discard) return { keep: true };
    throw new BerthError(
      "unsaved_work",
      `The sandbox "${row.name}" has work that is nowhere else: ${tellUnsaved(work)}.`,
      {
        hint: "Push it, or delete the sandbox with discard=true; a copy is kept for a while.",
      },
    );
  }

  /** One that cannot be woken is as unknown as any that does not answer. */
  async #awake(row: SandboxRow): Promise<SandboxRow> {
    try {
      return await this.#deps.awake(row);
    } catch (error) {
      this.#deps.log.info(
        { sandboxId: row.id, err: error },
        "a sandbox could not be woken to be asked for unsaved work",
      );
      return row;
    }
  }

  /** What the agent says is unsaved is looked at by the user's own git: that tells names, and runs the user's filters. */
  async #ask(row: SandboxRow, signal: AbortSignal): Promise<UnsavedWork> {
    if (await this.#deps.hasNothing(row.id, AbortSignal.any([signal, AbortSignal.timeout(agentMs)]))) return nothing;
    return askUnsaved(await this.#deps.repository(row, signal), signal);
  }
}

/** Its container may run, as far as is known, and knows the controller's key. */
function isReachable(row: SandboxRow): boolean {
  return (row.state === "ready" || row.state === "failed") && row.address !== null && row.bootstrapped_at !== null;
}

function unknown(row: SandboxRow): BerthError {
  return new BerthError(
    "unsaved_work",
    `The sandbox "${row.name}" does not run or does not answer, so nobody knows whether it has work that is nowhere else.`,
    { hint: "Start it to find out, or delete it with discard=true; no copy can be kept of what it has." },
  );
}

/** Rejects when the signal aborts, also where the promise does not heed it. */
function withinSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
