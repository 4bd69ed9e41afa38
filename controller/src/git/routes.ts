import {
  BerthError,
  type GitFileDiff,
  type GitFileStatus,
  gitCommit,
  gitDiff,
  gitDiscard,
  gitLog,
  gitPatch,
  gitStage,
  gitStatus,
  gitUnstage,
} from "@berth/protocol";
import { joined, linkPath, type NamedPath, pathBytesOf, shownPath, shownText } from "../files/path.ts";
import { endedByNul } from "../files/stat.ts";
import type { WorkspaceAccess } from "../files/workspace-access.ts";
import type { Api } from "../http/api.ts";
import { mountDownload } from "../http/download.ts";
import { mount } from "../http/mount.ts";
import { LogReader } from "./log.ts";
import { type PatchFile, PatchReader } from "./patch.ts";
import { readInto } from "./read-into.ts";
import { type StatusEntry, StatusReader } from "./status.ts";

const times = {
  /** A git that reads a large repository for the first time says nothing for long. */
  readMs: 65_000,
  writeMs: 125_000,
} as const;
const defaults = { statusFiles: 10_000, context: 3, commits: 50 } as const;

/** Git in the workspace: what has changed, and what people do about it. */
export function gitRoutes(api: Api, workspaces: WorkspaceAccess): void {
  lookRoutes(api, workspaces);
  changeRoutes(api, workspaces);
}

function lookRoutes(api: Api, workspaces: WorkspaceAccess): void {
  const { connections } = workspaces;

  mount(api, gitStatus, async ({ params, query, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const asked = { path: linkPath(pathBytesOf(query)), untracked: query.untracked ?? "normal" } as const;
    const options = { signal: workspaces.goneOf(reply), silenceMs: times.readMs };
    const { answer, body } = await connections.open(link, "gitStatus", asked, options);
    const reader = new StatusReader(query.limit ?? defaults.statusFiles);
    await readInto(reader, body);
    const root = Buffer.from(answer.root, "base64url");
    const files = reader.entries.map((entry) => presentStatus(root, entry));
    return { root: shownText(root).text, branch: reader.branch, files, truncated: reader.full };
  });

  mount(api, gitDiff, async ({ params, query, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const options = { signal: workspaces.goneOf(reply), silenceMs: times.readMs };
    const { answer, body } = await connections.open(link, "gitDiff", diffOf(query), options);
    const reader = new PatchReader();
    await readInto(reader, body);
    const root = Buffer.from(answer.root, "base64url");
    const files = reader.files.map((file) => presentDiff(root, file));
    return { root: shownText(root).text, files, truncated: reader.full };
  });

  mountDownload(api, gitPatch, async ({ params, query, caller, signal }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const { body } = await connections.open(link, "gitDiff", diffOf(query), { signal, silenceMs: times.readMs });
    return { fileName: "changes.patch", inline: true, body: body.chunks() };
  });

  mount(api, gitLog, async ({ params, query, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const cursor = query.cursor === undefined ? undefined : readCursor(query.cursor);
    const from = cursor?.from ?? query.from;
    const skip = cursor?.skip ?? 0;
    const limit = query.limit ?? defaults.commits;
    const path = linkPath(pathBytesOf(query));
    const asked = { path, skip, limit: limit + 1, ...(from === undefined ? {} : { from }) };
    const options = { signal: workspaces.goneOf(reply), silenceMs: times.readMs };
    const { answer, body } = await connections.open(link, "gitLog", asked, options);
    const reader = new LogReader();
    await readInto(reader, body);
    // Later pages begin where this one did, whatever is committed meanwhile.
    const more = reader.commits.length > limit && answer.from !== null;
    return { items: reader.commits.slice(0, limit), nextCursor: more ? `${answer.from}.${skip + limit}` : null };
  });
}

function changeRoutes(api: Api, workspaces: WorkspaceAccess): void {
  const { connections } = workspaces;

  const changes = [
    [gitStage, "gitStage"],
    [gitUnstage, "gitUnstage"],
  ] as const;
  for (const [route, call] of changes) {
    mount(api, route, async ({ params, body, caller, reply }) => {
      const link = await workspaces.linkTo(params.id, caller.user.id);
      const { first, input } = chosen(body);
      const options = { input, signal: workspaces.goneOf(reply), silenceMs: times.writeMs };
      const { root } = await connections.ask(link, call, { path: linkPath(first) }, options);
      return { root: shownText(Buffer.from(root, "base64url")).text };
    });
  }

  mount(api, gitDiscard, async ({ params, body, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const { first, input } = chosen(body);
    const options = { input, signal: workspaces.goneOf(reply), silenceMs: times.writeMs };
    const { root, files, kept } = await connections.ask(link, "gitDiscard", { path: linkPath(first) }, options);
    const keptIn = kept === null ? null : shownText(Buffer.from(kept, "base64url")).text;
    return { root: shownText(Buffer.from(root, "base64url")).text, files, kept: keptIn };
  });

  mount(api, gitCommit, async ({ params, body, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const { message, all = false, amend = false, author } = body;
    if (message === undefined && !amend)
      throw new BerthError("invalid_request", "message: is required.", { fields: { message: "is required" } });
    const asked = {
      path: linkPath(pathBytesOf(body)),
      all,
      amend,
      ...(message === undefined ? {} : { message: message.toWellFormed() }),
      ...(author === undefined ? {} : { author }),
    };
    const options = { signal: workspaces.goneOf(reply), silenceMs: times.writeMs };
    const { root, commit } = await connections.ask(link, "gitCommit", asked, options);
    return { root: shownText(Buffer.from(root, "base64url")).text, commit };
  });
}

function diffOf(query: NamedPath & { staged?: boolean; base?: string; context?: number }) {
  return {
    path: linkPath(pathBytesOf(query)),
    staged: query.staged ?? false,
    context: query.context ?? defaults.context,
    ...(query.base === undefined ? {} : { base: query.base }),
  };
}

/** Paths of a body, as a call's input. The first of them tells which repository is meant: all have to lie in it. */
function chosen(body: { paths?: readonly string[]; pathsBytes?: readonly string[] }) {
  const paths = [
    ...(body.paths ?? []).map((path, index) => pathBytesOf({ path }, `paths.${index}`)),
    ...(body.pathsBytes ?? []).map((pathBytes, index) => pathBytesOf({ pathBytes }, `pathsBytes.${index}`)),
  ];
  const [first] = paths;
  if (!first) throw new BerthError("invalid_request", "paths: is required.", { fields: { paths: "is required" } });
  return { first, input: endedByNul(paths) };
}

function presentStatus(root: Buffer, { path, from, conflict, ...entry }: StatusEntry): GitFileStatus {
  return {
    ...shownPath(joined(root, path)),
    ...presentFrom(root, from),
    ...(conflict === undefined ? {} : { conflict }),
    ...entry,
  };
}

function presentDiff(root: Buffer, { path, from, ...file }: PatchFile): GitFileDiff {
  return { ...shownPath(joined(root, path)), ...presentFrom(root, from), ...file };
}

function presentFrom(root: Buffer, from: Buffer | undefined): { from?: string; fromBytes?: string } {
  if (!from) return {};
  const { path, pathBytes } = shownPath(joined(root, from));
  return pathBytes === undefined ? { from: path } : { from: path, fromBytes: pathBytes };
}

/** Where the first page began, and how many commits were shown. */
function readCursor(cursor: string): { from: string; skip: number } {
  const match = /^([0-9a-f]{40,64})\.(\d{1,9})$/.exec(cursor);
  if (!match?.[1]) throw new BerthError("invalid_request", "The cursor is not one of this list's.");
  return { from: match[1], skip: Number(match[2]) };
}
