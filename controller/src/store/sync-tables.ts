import type { Failure, SyncChange, SyncRequest, SyncResult } from "@berth/protocol";
import type { ColumnType, Generated } from "kysely";
import type { Json, OptionalInstant, OptionalJson } from "./column-types.ts";

/** How a sandbox's workspace and a folder on the host stand to each other. */
export interface WorkspacesTable {
  sandbox_id: string;
  /** The folder that it was synced with last. */
  folder: string | null;
  /** What is followed; null: nothing. */
  continuous: OptionalJson<ContinuousWish>;
  continuous_state: Generated<"watching" | "syncing" | "paused">;
  continuous_error: OptionalJson<Failure>;
  /** When the sides were last found in accord. */
  continuous_at: OptionalInstant;
}

/** Syncs as they are asked for, without a dry run. */
export type ContinuousWish = Omit<SyncRequest, "dryRun">;

/** One sync: of an operation, or the latest of those that follow changes. */
export interface SyncRunsTable {
  /** The operation's id, or the sandbox's for what is followed. */
  id: string;
  sandbox_id: string;
  request: Json<SyncRunRequest>;
  result: OptionalJson<SyncResult>;
  created_at: ColumnType<Date, Date | undefined, Date>;
}

/** What was asked for, with the decisions on conflicts: paths as base64url of their bytes. */
export type SyncRunRequest = SyncRequest & { resolve?: { take: "source" | "both"; paths: string[] } };

/** What a sync did, path by path. */
export interface SyncChangesTable {
  run_id: string;
  position: number;
  action: string;
  data: Json<SyncChange>;
}
