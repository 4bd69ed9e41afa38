import type { Workspaces } from "../sandboxes/module.ts";
import type { WorkspaceModule } from "./module.ts";

/** What workspaces are made from: folders of the host, and beside them all that the other part knows. */
export function workspaceSources(others: Workspaces, folders: () => WorkspaceModule): Workspaces {
  return {
    ...others,
    wish: (work, ownerId, workspace) =>
      workspace.type === "folder" ? folders().wish(workspace.path) : others.wish(work, ownerId, workspace),
    fill: (sandboxes, row, progress) =>
      row.workspace.type === "folder" ? folders().fill(row, progress) : others.fill(sandboxes, row, progress),
    gone: async (row) => {
      await folders().gone(row);
      await others.gone(row);
    },
  };
}
