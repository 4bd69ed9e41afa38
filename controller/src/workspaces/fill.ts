import { BerthError } from "@berth/protocol";
import { SyncFailure } from "@berth/sync";
import type { Kysely } from "kysely";
import { StepFailure } from "../sandboxes/failures.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { FillProgress } from "../sandboxes/steps/dependencies.ts";
import type { Database, SyncRunRequest } from "../store/tables.ts";
import { failureOf } from "./present.ts";
import { progressText } from "./progress-text.ts";
import type { WorkspaceRows } from "./repository.ts";
import type { SyncRunner } from "./sync-runner.ts";

export interface FillDependencies {
  readonly db: Kysely<Database>;
  readonly rows: WorkspaceRows;
  readonly runner: SyncRunner;
}

/**
 * Pushes the folder that a new workspace is made from, as a step of the sandbox's provisioning. It may be repeated: what
 * is there already is left alone. Rejects with a `StepFailure`, or with the signal's reason.
 */
export async function fillFromFolder(
  { db, rows, runner }: FillDependencies,
  row: SandboxRow,
  { signal, onProgress }: FillProgress,
): Promise<void> {
  const { workspace } = row;
  if (workspace.type !== "folder") return;
  // The repository goes along this once: nobody works in the sandbox yet. Afterwards commits travel by git.
  const request: SyncRunRequest = { direction: "push", folder: workspace.path, git: true };
  try {
    await rows.noteFolder(db, row.id, workspace.path);
    await rows.beginRun(db, row.id, row.id, request);
    const report = await runner.run(row, request, workspace.path, signal, {
      onProgress: (progress) =>
        onProgress(progress.percent === null ? null : Math.min(1, progress.percent / 100), progressText(progress)),
    });
    await rows.endRun({ id: row.id, request }, report);
  } catch (error) {
    signal.throwIfAborted();
    const lasting = error instanceof BerthError || (error instanceof SyncFailure && error.code !== "unreachable");
    throw new StepFailure(failureOf(error), { retry: !lasting, cause: error });
  }
}
