import { fileEvents, searchFiles } from "@berth/protocol";
import type { WorkspaceRecord } from "@berth/protocol/link";
import { mountEvents, type ServerEvent } from "../events/sse.ts";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import { linkPath, pathBytesOf, shownPath } from "./path.ts";
import { recordsOf } from "./records.ts";
import { workspaceRefusal } from "./refusal.ts";
import type { WorkspaceAccess } from "./workspace-access.ts";
import type { AnswerBody } from "./workspace-calls.ts";

const defaultLimit = 200;

/** What is found in the workspace, and what changes there. */
export function searchRoutes(api: Api, workspaces: WorkspaceAccess): void {
  const { connections } = workspaces;

  mount(api, searchFiles, async ({ params, query, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const limit = query.limit ?? defaultLimit;
    const asked = {
      path: linkPath(pathBytesOf(query)),
      what: query.in ?? "content",
      query: query.q.toWellFormed(),
      regex: query.regex ?? false,
      caseSensitive: query.caseSensitive ?? false,
      ignored: query.ignored ?? false,
      limit,
    } as const;
    const options = { signal: workspaces.goneOf(reply), maxRecords: limit + 1 };
    const { records } = await connections.list(link, "search", asked, options);
    const last = records.pop();
    if (!last || !("end" in last)) throw workspaceRefusal({ code: "violation", detail: "the search has no end" });
    return { items: records.map(presentMatch), end: last.end };
  });

  mountEvents(api, fileEvents, async ({ params, query, caller, signal }) => {
    const link = await workspaces.linkIfAwake(params.id, caller.user.id);
    const asked = { path: linkPath(pathBytesOf(query)) };
    const { answer, body } = await connections.open(link, "watch", asked, { signal });
    return changes(answer.partial, body);
  });
}

function presentMatch(record: WorkspaceRecord<"search">) {
  if (!("path" in record)) throw workspaceRefusal({ code: "violation", detail: "the search ended twice" });
  const path = shownPath(Buffer.from(record.path, "base64url"));
  if (!record.match) return path;
  const { line, text, ranges } = record.match;
  return { ...path, match: { line, text, ranges: ranges.map(([start, end]) => ({ start, end })) } };
}

async function* changes(partial: boolean, body: AnswerBody): AsyncGenerator<ServerEvent> {
  yield { event: "watching", data: { partial } };
  for await (const record of recordsOf("watch", body.chunks({ quiet: true }))) {
    if ("overflow" in record) yield { event: "overflow", data: {} };
    else
      yield {
        event: "changed",
        data: { paths: record.changed.map((path) => shownPath(Buffer.from(path, "base64url"))) },
      };
  }
}
