import type { SyncStatus } from "@berth/protocol";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { WorkspaceRows } from "./repository.ts";

/** How a workspace and its folder stand to each other. */
export async function statusOf(rows: WorkspaceRows, row: SandboxRow): Promise<SyncStatus> {
  const [workspace, last, wet] = await Promise.all([
    rows.find(row.id),
    rows.latestRun(row.id),
    rows.latestRun(row.id, { wet: true }),
  ]);
  const made = row.workspace.type === "folder" ? row.workspace.path : null;
  const wish = workspace?.continuous;
  return {
    folder: workspace?.folder ?? made,
    last: last
      ? {
          operationId: last.id === row.id ? null : last.id,
          direction: last.request.direction,
          dryRun: last.request.dryRun ?? false,
          result: last.result,
          at: last.created_at.toISOString(),
        }
      : null,
    conflicts: wet?.result?.conflicts ?? 0,
    continuous: wish
      ? {
          direction: wish.direction,
          delete: wish.delete ?? false,
          state: workspace.continuous_state,
          error: workspace.continuous_error,
          lastSyncedAt: workspace.continuous_at?.toISOString() ?? null,
        }
      : null,
  };
}
