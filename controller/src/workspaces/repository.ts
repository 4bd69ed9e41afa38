import type { SyncAction, SyncChange, SyncResult } from "@berth/protocol";
import type { SyncReport } from "@berth/sync";
import { type Kysely, type Selectable, sql } from "kysely";
import type { ContinuousWish, Database, SyncRunRequest, SyncRunsTable, WorkspacesTable } from "../store/tables.ts";
import { presentChange, presentResult } from "./present.ts";

export type WorkspaceRow = Selectable<WorkspacesTable>;
export type SyncRunRow = Selectable<SyncRunsTable>;

/** Rows that one statement inserts. */
const batchRows = 1_000;

/** What the database keeps of workspaces' syncs. */
export class WorkspaceRows {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  find(sandboxId: string): Promise<WorkspaceRow | undefined> {
    return this.#db.selectFrom("workspaces").selectAll().where("sandbox_id", "=", sandboxId).executeTakeFirst();
  }

  /** Those whose changes are followed. */
  followed(): Promise<WorkspaceRow[]> {
    return this.#db.selectFrom("workspaces").selectAll().where("continuous", "is not", null).execute();
  }

  /** Notes which folder a workspace is synced with. */
  async noteFolder(db: Kysely<Database>, sandboxId: string, folder: string): Promise<void> {
    await db
      .insertInto("workspaces")
      .values({ sandbox_id: sandboxId, folder })
      .onConflict((conflict) => conflict.column("sandbox_id").doUpdateSet({ folder }))
      .execute();
  }

  /** Begins or (null) ends following. */
  async follow(db: Kysely<Database>, sandboxId: string, wish: ContinuousWish | null): Promise<void> {
    await db
      .updateTable("workspaces")
      .set({
        continuous: wish && JSON.stringify(wish),
        continuous_state: "watching",
        continuous_error: null,
        continuous_at: null,
      })
      .where("sandbox_id", "=", sandboxId)
      .execute();
  }

  /** Notes how the following goes. */
  async noteFollowing(
    sandboxId: string,
    change: Partial<Pick<WorkspaceRow, "continuous_state" | "continuous_error" | "continuous_at">>,
  ): Promise<void> {
    const { continuous_error: error, ...rest } = change;
    await this.#db
      .updateTable("workspaces")
      .set({ ...rest, ...(error === undefined ? {} : { continuous_error: error && JSON.stringify(error) }) })
      .where("sandbox_id", "=", sandboxId)
      .execute();
  }

  /** Writes down what is to be synced, in place of an earlier run of this id. */
  async beginRun(db: Kysely<Database>, id: string, sandboxId: string, request: SyncRunRequest): Promise<void> {
    const text = JSON.stringify(request);
    await db
      .insertInto("sync_runs")
      .values({ id, sandbox_id: sandboxId, request: text })
      .onConflict((conflict) =>
        conflict.column("id").doUpdateSet({ request: text, result: null, created_at: sql<Date>`now()` }),
      )
      .execute();
  }

  run(id: string): Promise<SyncRunRow | undefined> {
    return this.#db.selectFrom("sync_runs").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** The latest of a sandbox; of those that wrote something, if asked for. */
  latestRun(sandboxId: string, { wet = false } = {}): Promise<SyncRunRow | undefined> {
    return this.#db
      .selectFrom("sync_runs")
      .selectAll()
      .where("sandbox_id", "=", sandboxId)
      .$if(wet, (runs) =>
        runs
          .where("result", "is not", null)
          .where(sql<boolean>`coalesce((request ->> 'dryRun')::boolean, false)`, "=", false),
      )
      .orderBy("created_at", "desc")
      .limit(1)
      .executeTakeFirst();
  }

  /** Writes down what a run did. Answers it in numbers. */
  async endRun(run: Pick<SyncRunRow, "id" | "request">, report: SyncReport): Promise<SyncResult> {
    const result = presentResult(report);
    await this.#db.transaction().execute(async (trx) => {
      await trx
        .updateTable("sync_runs")
        .set({ result: JSON.stringify(result) })
        .where("id", "=", run.id)
        .execute();
      await trx.deleteFrom("sync_changes").where("run_id", "=", run.id).execute();
      for (let at = 0; at < report.changes.length; at += batchRows) {
        const batch = report.changes.slice(at, at + batchRows);
        const rows = batch.map((change, place) => ({
          run_id: run.id,
          position: at + place,
          action: change.action,
          data: JSON.stringify(presentChange(change, run.request.direction)),
        }));
        await trx.insertInto("sync_changes").values(rows).execute();
      }
    });
    return result;
  }

  /** A page of what a run did, from a position on. */
  async changes(
    runId: string,
    { from, limit, action }: { from: number; limit: number; action: SyncAction | undefined },
  ): Promise<{ position: number; data: SyncChange }[]> {
    return await this.#db
      .selectFrom("sync_changes")
      .select(["position", "data"])
      .where("run_id", "=", runId)
      .where("position", ">=", from)
      .$if(action !== undefined, (rows) => rows.where("action", "=", action ?? ""))
      .orderBy("position")
      .limit(limit)
      .execute();
  }

  /** Forgets runs that began so many days ago, but of each sandbox the last; answers how many. */
  async prune(days: number, nowMs: number): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("sync_runs")
      .where("created_at", "<", new Date(nowMs - days * 86_400_000))
      .where("id", "not in", (runs) =>
        runs
          .selectFrom("sync_runs as latest")
          .select("latest.id")
          .distinctOn("latest.sandbox_id")
          .orderBy("latest.sandbox_id")
          .orderBy("latest.created_at", "desc"),
      )
      .executeTakeFirst();
    return Number(numDeletedRows);
  }
}
