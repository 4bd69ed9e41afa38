import { BerthError, type UnsavedWork } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { SandboxRepository } from "./sandbox-repository.ts";
import { askUnsaved, isUnsaved, tellUnsaved, unknownWork } from "./unsaved.ts";

export interface DestroyGuardDependencies {
  readonly log: FastifyBaseLogger;
  /** What its agent says is unsaved there: nothing is certain, the rest may only seem so. Undefined: it does not say. */
  told(sandboxId: string, signal: AbortSignal): Promise<UnsavedWork | undefined>;
  repository(row: SandboxRow, signal?: AbortSignal): Promise<SandboxRepository>;
  /** A sandbox as it is once it is woken, if it slept. Rejects with a `BerthError`. */
  awake(row: SandboxRow): Promise<SandboxRow>;
}

/** Who wants to delete a sandbox waits no longer for an answer from it. */
const answerMs = 10_000;

/** Of that for the agent's; after it there is time for the other way. */
const agentMs = 5_000;
/** A shutdown waits no longer, and for the agent no longer than half of that. */
const lastLookMs = 6_000;

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
   * What is unsaved in a sandbox that is about to be shut down, within seconds; undefined: nobody can say. Never rejects.
   * `thoroughly`: by signing in, too, where the agent is not certain.
   */
  async lastLook(row: SandboxRow, thoroughly: boolean): Promise<UnsavedWork | undefined> {
    if (row.address === null || row.bootstrapped_at === null) return undefined;
    const signal = AbortSignal.timeout(lastLookMs);
    const told = await this.#deps.told(row.id, AbortSignal.timeout(lastLookMs / 2));
    if (!thoroughly || (told && !isUnsaved(told))) return told;
    try {
      const seen = this.#deps.repository(row, signal).then((repository) => askUnsaved(repository, signal));
      return await withinSignal(seen, signal);
    } catch (error) {
      this.#deps.log.info({ sandboxId: row.id, err: error }, "a sandbox was shut down before it said what is unsaved");
      return told;
    }
  }

  /**
   * Answers whether there is something to keep. Throws `unsaved_work` where something would be lost and the caller has
   * not said that it may be. One that is stopped goes by what was known when it was shut down; where nothing was, it may
   * go if it is no project's: most have never had a repository.
   */
  async permit(row: SandboxRow, discard: boolean): Promise<{ keep: boolean }> {
    // What was never filled was nobody's to work in.
    const isProject = row.project_id !== null && row.workspace_filled;
    const isAsleep = row.state === "asleep";
    if (isOff(row) && row.unsaved_then) return permitByMemory(row, row.unsaved_then, discard);
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
    const told = await this.#deps.told(row.id, AbortSignal.any([signal, AbortSignal.timeout(agentMs)]));
    if (told && !isUnsaved(told)) return told;
    return askUnsaved(await this.#deps.repository(row, signal), signal);
  }
}

/** Its container may run, as far as is known, and knows the controller's key. */
function isReachable(row: SandboxRow): boolean {
  return (row.state === "ready" || row.state === "failed") && row.address !== null && row.bootstrapped_at !== null;
}

/** It does not run, or not for long any more. */
function isOff({ state }: SandboxRow): boolean {
  return state === "stopped" || state === "stopping";
}

type Memory = NonNullable<SandboxRow["unsaved_then"]>;

/** Nothing of what is off can be copied, so there is nothing to keep. */
function permitByMemory({ name }: SandboxRow, { work, at }: Memory, discard: boolean): { keep: false } {
  if (discard || !isUnsaved(work)) return { keep: false };
  throw new BerthError(
    "unsaved_work",
    `The sandbox "${name}" had work that is nowhere else when it was shut down (${at}): ${tellUnsaved(work)}.`,
    { hint: "Start it to save that, or delete it with discard=true; no copy can be kept of what it has." },
  );
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
