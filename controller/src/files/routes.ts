import { BerthError, type FileEntry, type FileFacts, listFiles, statFiles } from "@berth/protocol";
import type { EntryFacts, WorkspaceParams } from "@berth/protocol/link";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import { joined, linkPath, pathBytesOf, shownPath, shownText } from "./path.ts";
import { statPaths } from "./stat.ts";
import type { WorkspaceAccess } from "./workspace-access.ts";

const defaultLimit = 200;

/** Looking at the workspace's files. */
export function fileRoutes(api: Api, workspaces: WorkspaceAccess): void {
  const { connections } = workspaces;

  mount(api, listFiles, async ({ params, query, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const folder = pathBytesOf(query);
    const limit = query.limit ?? defaultLimit;
    const after = query.cursor === undefined ? {} : { after: readCursor(query.cursor) };
    const asked = { path: linkPath(folder), limit, ...after };
    const signal = workspaces.goneOf(reply);
    const { answer, records } = await connections.list(link, "list", asked, { signal, maxRecords: limit });
    const last = records.at(-1);
    return {
      items: records.map(({ name, facts }) => presentEntry(folder, Buffer.from(name, "base64url"), facts)),
      nextCursor: answer.more && last ? `${last.facts.type === "folder" ? "d" : "f"}.${last.name}` : null,
    };
  });

  mount(api, statFiles, async ({ params, body, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const paths = [
      ...(body.paths ?? []).map((path, index) => pathBytesOf({ path }, `paths.${index}`)),
      ...(body.pathsBytes ?? []).map((pathBytes, index) => pathBytesOf({ pathBytes }, `pathsBytes.${index}`)),
    ];
    const found = await statPaths(connections, link, paths, { signal: workspaces.goneOf(reply) });
    return { items: found.map((facts) => facts && presentFacts(facts)) };
  });
}

function presentEntry(folder: Buffer, name: Buffer, facts: EntryFacts): FileEntry {
  return { name: shownText(name).text, ...shownPath(joined(folder, name)), ...presentFacts(facts) };
}

export function presentFacts({ target, ...facts }: EntryFacts): FileFacts {
  if (target === undefined) return facts;
  const { text, exact } = shownText(Buffer.from(target, "base64url"));
  return { ...facts, target: text, ...(exact ? {} : { targetBytes: target }) };
}

/** Where the page before ended: `d` or `f`, and the base64url of the name. */
function readCursor(cursor: string): NonNullable<WorkspaceParams<"list">["after"]> {
  const match = /^([df])\.([A-Za-z0-9_-]{1,340})$/.exec(cursor);
  if (!match?.[2]) throw new BerthError("invalid_request", "The cursor is not one of this list's.");
  return { folder: match[1] === "d", name: match[2] };
}
