import { downloadArchive, uploadArchive } from "@berth/protocol";
import type { Api } from "../http/api.ts";
import { mountDownload } from "../http/download.ts";
import { mountUpload } from "../http/upload.ts";
import { linkPath, pathBytesOf, shownText } from "./path.ts";
import type { WorkspaceAccess } from "./workspace-access.ts";

/** Many small files wait for the disk between two words of the agent's. */
const unpackedMs = 180_000;
const mediaTypes = { tar: "application/x-tar", zip: "application/zip" } as const;

/** Folders of the workspace, whole. */
export function archiveRoutes(api: Api, workspaces: WorkspaceAccess): void {
  const { connections } = workspaces;

  mountUpload(api, uploadArchive, async ({ params, query, caller, reply }, input) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const path = linkPath(pathBytesOf(query));
    const asked = { path, overwrite: query.overwrite ?? false, maxBytes: uploadArchive.upload.maxBytes };
    return connections.ask(link, "unpack", asked, { input, signal: workspaces.goneOf(reply), silenceMs: unpackedMs });
  });

  mountDownload(api, downloadArchive, async ({ params, query, caller, signal }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const path = pathBytesOf(query);
    const format = query.format ?? "tar";
    const { body } = await connections.open(link, "pack", { path: linkPath(path), format }, { signal });
    const name = path.length === 0 ? "workspace" : shownText(path.subarray(path.lastIndexOf("/") + 1)).text;
    return { fileName: `${name}.${format}`, mediaType: mediaTypes[format], body: body.chunks() };
  });
}
