import { gitRoutes } from "../git/routes.ts";
import type { Api } from "../http/api.ts";
import { archiveRoutes } from "./archive-routes.ts";
import { fileContentRoutes } from "./content-routes.ts";
import { fileRoutes } from "./routes.ts";
import { searchRoutes } from "./search-routes.ts";
import type { WorkspaceAccess } from "./workspace-access.ts";

/** All that is done with workspaces by way of their agents. */
export function workspaceRoutes(api: Api, workspaces: WorkspaceAccess): void {
  fileRoutes(api, workspaces);
  fileContentRoutes(api, workspaces);
  archiveRoutes(api, workspaces);
  searchRoutes(api, workspaces);
  gitRoutes(api, workspaces);
}
