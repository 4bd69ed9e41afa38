import type { Clock } from "@berth/base";
import { BerthError, type Operation, type SyncRequest, type SyncResult } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import { Course } from "../operations/course.ts";
import type { OperationJournal } from "../operations/journal.ts";
import { newOperation, type OperationRow, presentOperation } from "../operations/record.ts";
import { Cancelled, RunningOperations } from "../operations/running.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { AwaitReady } from "../sleep/waking.ts";
import type { Database, SyncRunRequest } from "../store/tables.ts";
import type { HostFolders } from "./host-folders.ts";
import { failureOf } from "./present.ts";
import { progressText } from "./progress-text.ts";
import type { WorkspaceRows } from "./repository.ts";
import type { RunHooks, SyncRunner } from "./sync-runner.ts";

export interface SyncServiceDependencies {
  readonly db: Kysely<Database>;
  readonly rows: WorkspaceRows;
  readonly runner: SyncRunner;
  readonly folders: HostFolders;
  readonly sandboxes: Sandboxes;
  readonly journal: OperationJournal;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  /** Says that a sandbox is used, until the answer is called. */
  hold(sandboxId: string): () => void;
  readonly awaitReady: AwaitReady;
}

/** The syncs that people ask for: each is an operation, which a controller that was restarted goes on with. */
export class SyncService {
  readonly #deps: SyncServiceDependencies;
  readonly #running: RunningOperations;

  constructor(dependencies: SyncServiceDependencies) {
    this.#deps = dependencies;
    this.#running = new RunningOperations(dependencies);
  }

  /** Writes a sync down, and begins it after the commit. Throws `sandbox_not_ready`, `conflict`, `forbidden`, … */
  async start(work: UnitOfWork, row: SandboxRow, request: SyncRunRequest): Promise<Operation> {
    const folder = await this.folderFor(row, request);
    requireReady(row);
    if (request.git && request.direction === "pull") {
      throw new BerthError(
        "invalid_request",
        "A repository is not pulled by a sync: its hooks would run on the host.",
        {
          hint: "Fetch it with git.",
        },
      );
    }
    const { trx } = work;
    const operation = await trx
      .insertInto("operations")
      .values({ ...newOperation(row.owner_id, "sync"), sandbox_id: row.id, sandbox_name: row.name })
      // The index of the one sync that may be under way.
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!operation) {
      throw new BerthError("conflict", `The workspace of "${row.name}" is being synced already.`, {
        hint: "Wait for its end, or cancel it.",
      });
    }
    await this.#deps.rows.beginRun(trx, operation.id, row.id, { ...request, folder });
    await this.#deps.rows.noteFolder(trx, row.id, folder);
    work.afterCommit(() => this.#begin(operation));
    return presentOperation(operation);
  }

  /** The folder on the host that a sync is about, as it really is. */
  async folderFor(row: SandboxRow, { folder }: Pick<SyncRequest, "folder">): Promise<string> {
    const made = row.workspace.type === "folder" ? row.workspace.path : undefined;
    const named = folder ?? (await this.#deps.rows.find(row.id))?.folder ?? made;
    if (named === undefined) {
      throw new BerthError("invalid_request", "This workspace has no folder on the controller's host yet.", {
        hint: "Name one as `folder`.",
      });
    }
    return this.#deps.folders.allowed(named);
  }

  /** Gives a sync up. Its operation ends when rsync has. */
  async cancel(work: UnitOfWork, operation: OperationRow): Promise<void> {
    this.#running.cancel(work, operation);
  }

  /** Goes on with what a controller that is gone has left. */
  async resume(): Promise<void> {
    const open = await this.#deps.db
      .selectFrom("operations")
      .selectAll()
      .where("kind", "=", "sync")
      .where("state", "in", ["queued", "running"])
      .execute();
    for (const operation of open) this.#begin(operation);
  }

  /** Ends what runs; the operations stay open, for the next controller. */
  stop(): Promise<void> {
    return this.#running.stop();
  }

  #begin(operation: OperationRow): void {
    this.#running.begin(operation, (signal) => this.#perform(operation, signal));
  }

  async #perform(operation: OperationRow, signal: AbortSignal): Promise<void> {
    const { rows, runner, journal, sandboxes, log } = this.#deps;
    const run = await rows.run(operation.id);
    const row = operation.sandbox_id === null ? undefined : await sandboxes.find(operation.sandbox_id);
    if (!run || !row) return journal.fail(operation, undefined, failureOf(new Error("The sandbox is gone.")));
    const release = this.#deps.hold(row.id);
    const course = new Course(this.#deps, operation);
    try {
      const resumed = operation.state === "running";
      course.step("compare");
      if (resumed) course.log("Berth was restarted: the sync begins again");
      // It may have been put to sleep since it was asked for, as may its address have changed.
      const awake = await this.#deps.awaitReady(row.id, { signal, addressed: true });
      const report = await runner.run(awake, run.request, run.request.folder ?? "", signal, hooksOf(course));
      const result = await rows.endRun(run, report);
      course.log(`${run.request.dryRun ? "nothing was done; it would be " : ""}${resultText(result)}`);
      await course.written();
      await journal.succeed(operation, { ...result });
    } catch (error) {
      await course.written();
      if (signal.reason instanceof Cancelled) return journal.cancel(operation);
      if (signal.aborted) return;
      log.warn({ sandboxId: row.id, operationId: operation.id, err: error }, "a sync failed");
      await journal.fail(operation, undefined, failureOf(error));
    } finally {
      release();
    }
  }
}

/** Writes a run's course into its operation. */
function hooksOf(course: Course): RunHooks {
  return {
    onPhase: (phase) => course.step(phase),
    onProgress: (progress) => {
      const share = progress.percent === null ? null : Math.min(1, progress.percent / 100);
      course.step("transfer", progressText(progress), share);
    },
    onNote: (text) => course.log(text),
  };
}

function resultText({ created, updated, deleted, stayed, conflicts, skipped }: SyncResult): string {
  return `${created} new, ${updated} changed, ${deleted} deleted, ${stayed} left alone, ${conflicts} in conflict, ${skipped} skipped`;
}

/** Throws `sandbox_not_ready`. Whoever uses it has woken it before. */
function requireReady(row: Pick<SandboxRow, "name" | "state">): void {
  if (row.state === "ready") return;
  throw new BerthError("sandbox_not_ready", `The sandbox "${row.name}" is ${row.state}.`, { hint: "Start it first." });
}
