import type { Failure } from "@berth/protocol";
import type { OperationRow } from "../../operations/record.ts";
import { inTransaction } from "../../store/transaction.ts";
import { Superseded } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import type { ActionDependencies } from "./dependencies.ts";

/**
 * Puts a sandbox to sleep if it agrees, and leaves it awake otherwise. What agrees is shut down in the same step, so that
 * no agreement outlives the controller that got it: one that comes after asks again. `shutdown` is given what to do right
 * before Proxmox is told to: the sandbox is asked once more, since a shutdown that has begun cannot be called off, from
 * within neither: Proxmox signals the container's first process, which no inhibitor lock holds up.
 */
export async function fallAsleep(
  deps: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
  shutdown: (lastly: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const refusal = await deps.askSleep(row, false);
  if (refusal) return stayAwake(deps, row, operation, refusal);
  await deps.journal.step(operation, "stop");
  await deps.sandboxes.change(row, { state: "stopping" });
  try {
    await shutdown(async () => {
      const [withdrawal, now] = await Promise.all([deps.askSleep(row, true), deps.sandboxes.find(row.id)]);
      if (now?.desired !== "asleep") throw new Superseded();
      if (withdrawal) throw new Withdrawn(withdrawal);
    });
  } catch (error) {
    if (!(error instanceof Withdrawn)) throw error;
    await stayAwake(deps, row, operation, error.failure);
  }
}

/** A sandbox that had agreed to sleep does not any more. */
class Withdrawn extends Error {
  override readonly name = "Withdrawn";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Gives the sleep up. Nobody has asked for one that follows from idleness, so that has not failed. */
export async function stayAwake(
  { db, sandboxes, journal, clock }: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
  failure: Failure,
): Promise<void> {
  await inTransaction(db, async (work) => {
    const now = await sandboxes.lock(work, row.id);
    if (now?.desired !== "asleep") throw new Superseded();
    if (now.sleep_unasked) await journal.supersede(work.trx, operation);
    else await journal.failIn(work.trx, operation, "ask", failure);
    await sandboxes.changeIn(work, row, { desired: "running", look_at: new Date(clock.now()) });
  });
}

/** Why a sandbox is left awake that cannot be asked, or not be shut down now. */
export const notNow: Failure = {
  code: "cannot_sleep",
  message:
    "Its agent is not connected, so nobody could say whether it may sleep, or Proxmox holds a lock on its container.",
  hint: "Try again when a backup or the like is over; restart the sandbox if its agent stays away.",
};
