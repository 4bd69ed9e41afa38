import type { OperationRow } from "../operations/record.ts";
import type { Action } from "./plan.ts";
import type { SandboxRow } from "./record.ts";
import { bootstrap } from "./steps/bootstrap.ts";
import { change } from "./steps/change.ts";
import { cloneTemplate } from "./steps/clone.ts";
import { cloneFork } from "./steps/clone-fork.ts";
import { configure } from "./steps/configure.ts";
import { type ActionDependencies, place } from "./steps/dependencies.ts";
import { deleteAbandoned, destroy } from "./steps/destroy.ts";
import { diskActions } from "./steps/disk.ts";
import { prepareFork, releaseFork } from "./steps/fork.ts";
import { handOver } from "./steps/hand-over.ts";
import { rememberUnsaved } from "./steps/remember.ts";
import { reserve } from "./steps/reserve.ts";
import { fallAsleep, notNow, stayAwake } from "./steps/sleep.ts";
import { fillWorkspace, keepWork } from "./steps/workspace.ts";
import { beginOn } from "./task-watch.ts";

/** A step: it may be repeated after a kill at any line, and says in `operation`'s log what it did. */
type Perform = (row: SandboxRow, operation: OperationRow) => Promise<void>;

const shutdownSeconds = 30;

/** What each action of a plan does. */
export function makeActions(deps: ActionDependencies): Record<Exclude<Action, "follow-task">, Perform> {
  const { client, tasks, claims, sandboxes } = deps;
  const shutdown = async (row: SandboxRow, operation: OperationRow, lastly = async () => {}) => {
    const at = place(row);
    const order = { timeoutSeconds: shutdownSeconds, forceStop: true };
    const begin = async () => {
      await lastly();
      return beginOn(client, at, "vzshutdown", () => client.containers.shutdown(at, order));
    };
    await tasks.run(row, operation, "stop", begin, ["not_running"]);
    await noteStopped(deps, row);
  };
  return {
    ...diskActions(deps),
    reserve: (row, operation) => reserve(deps, row, operation),
    abandon: (row) => claims.abandon(row),
    "prepare-fork": (row, operation) => prepareFork(deps, row, operation),
    clone: (row, operation) => (row.source ? cloneFork : cloneTemplate)(deps, row, operation),
    "release-fork": (row, operation) =>
      releaseFork(deps, row, operation, row.desired === "destroyed" ? "delete" : "release"),
    configure: (row, operation) => configure(deps, row, operation),
    change: (row, operation) => change(deps, row, operation),
    start: async (row, operation) => {
      // Written first: the boot that follows is the one that was asked for, also if nobody lives to see it.
      await sandboxes.change(row, {
        boot_done: row.boot_wanted,
        address: null,
        restart_needed: [],
        unsaved_then: null,
      });
      // Whatever ended it: a link of the boot before would be taken for this one's agent.
      await noteStopped(deps, row);
      const at = place(row);
      const begin = () => beginOn(client, at, "vzstart", () => client.containers.start(at));
      await tasks.run(row, operation, "start", begin, ["running"]);
    },
    bootstrap: (row, operation) => bootstrap(deps, row, operation),
    "hand-over": (row, operation) => handOver(deps, row, operation),
    fill: (row, operation) => fillWorkspace(deps, row, operation),
    keep: (row, operation) => keepWork(deps, row, operation),
    shutdown: async (row, operation) => {
      await rememberUnsaved(deps, row, true);
      await shutdown(row, operation);
    },
    "fall-asleep": async (row, operation) => {
      await rememberUnsaved(deps, row, false);
      await fallAsleep(deps, row, operation, (lastly) => shutdown(row, operation, lastly));
    },
    "stay-awake": (row, operation) => stayAwake(deps, row, operation, notNow),
    kill: async (row, operation) => {
      const at = place(row);
      const begin = () => beginOn(client, at, "vzstop", () => client.containers.stop(at));
      await tasks.run(row, operation, "stop", begin, ["not_running"]);
      deps.dropLink(row.id);
    },
    delete: async (row, operation) => {
      await destroy(deps, row, place(row), operation);
      await claims.noteAsked(row.id, false);
    },
    "delete-abandoned": (row, operation) => deleteAbandoned(deps, row, operation),
    forget: (row) => deps.forget(row),
  };
}

/** The container does not run: its agent's link is dead, and no Claude does anything in it. */
async function noteStopped({ db, sandboxes, dropLink }: ActionDependencies, row: SandboxRow): Promise<void> {
  dropLink(row.id);
  if (row.attention === null) return;
  await db.updateTable("terminals").set({ attention: null }).where("sandbox_id", "=", row.id).execute();
  await sandboxes.change(row, { attention: null });
}
