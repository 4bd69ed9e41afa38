import { BerthError, fileTransferLimits, makeFolder, moveFile, readFile, removeFile, writeFile } from "@berth/protocol";
import type { WorkspaceAnswer } from "@berth/protocol/link";
import type { Api } from "../http/api.ts";
import { type Download, mountDownload } from "../http/download.ts";
import { mount } from "../http/mount.ts";
import { mountUpload } from "../http/upload.ts";
import { type ByteRange, expectedOf, hasVersion, rangeOf } from "./conditions.ts";
import { mediaTypeOf } from "./media-type.ts";
import { entryPathOf, linkPath, shownPath, shownText } from "./path.ts";
import type { WorkspaceAccess } from "./workspace-access.ts";
import type { AnswerBody } from "./workspace-calls.ts";

/** A file is brought to disk before it is answered, and disks take their time. */
const writtenMs = 120_000;
/** A folder may have any number of things in it. */
const removedMs = 120_000;

/** Files of the workspace, one at a time. */
export function fileContentRoutes(api: Api, workspaces: WorkspaceAccess): void {
  const { connections } = workspaces;

  mountDownload(api, readFile, async ({ params, query, caller, request, reply, signal }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const path = entryPathOf(query);
    const range = rangeOf(request.headers.range);
    const asked = { path: linkPath(path), ...(range ? { range } : {}) };
    const { answer, body } = await connections.open(link, "read", asked, { signal });
    try {
      if (range && answer.from >= answer.to) {
        reply.header("content-range", `bytes */${answer.size}`);
        throw new BerthError("range_not_satisfiable", `The file has ${answer.size} bytes.`);
      }
      const isKnown = hasVersion(request.headers, answer.version);
      if (!isKnown) checkSize(answer);
      return fileAnswer({ path, range, answer, body, isKnown });
    } catch (error) {
      body.close();
      throw error;
    }
  });

  mountUpload(api, writeFile, async ({ params, query, caller, request, reply }, input) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const path = entryPathOf(query);
    const expected = expectedOf(request.headers, query.version);
    const asked = { path: linkPath(path), maxBytes: writeFile.upload.maxBytes, ...(expected ? { expected } : {}) };
    const signal = workspaces.goneOf(reply);
    const written = await connections.ask(link, "write", asked, { input, signal, silenceMs: writtenMs });
    reply.header("etag", `"${written.version}"`);
    return { ...shownPath(path), ...written };
  });

  mount(api, removeFile, async ({ params, query, caller, request, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const expected = expectedOf(request.headers, query.version);
    if (expected && "absent" in expected) throw new BerthError("invalid_request", "What is absent cannot be removed.");
    const path = linkPath(entryPathOf(query));
    const asked = { path, recursive: query.recursive ?? false, ...expected };
    await connections.ask(link, "remove", asked, { signal: workspaces.goneOf(reply), silenceMs: removedMs });
    return undefined;
  });

  mount(api, makeFolder, async ({ params, body, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const path = entryPathOf(body);
    await connections.ask(link, "makeFolder", { path: linkPath(path) }, { signal: workspaces.goneOf(reply) });
    return shownPath(path);
  });

  mount(api, moveFile, async ({ params, body, caller, reply }) => {
    const link = await workspaces.linkTo(params.id, caller.user.id);
    const from = entryPathOf(named(body.from, body.fromBytes), "from");
    const to = entryPathOf(named(body.to, body.toBytes), "to");
    const asked = { from: linkPath(from), to: linkPath(to), overwrite: body.overwrite ?? false };
    await connections.ask(link, "move", asked, { signal: workspaces.goneOf(reply) });
    return shownPath(to);
  });
}

interface FileAnswer {
  readonly path: Buffer;
  readonly range: ByteRange | undefined;
  readonly answer: WorkspaceAnswer<"read">;
  readonly body: AnswerBody;
  /** The client has this version already. */
  readonly isKnown: boolean;
}

function fileAnswer({ path, range, answer, body, isKnown }: FileAnswer): Download {
  const sample = Buffer.from(answer.sample, "base64url");
  const mediaType = mediaTypeOf(sample, sample.length === answer.size);
  const name = shownText(path.subarray(path.lastIndexOf("/") + 1)).text;
  const headers = { etag: `"${answer.version}"`, "accept-ranges": "bytes" };
  const shared = { fileName: name, inline: !mediaType.startsWith("application/"), mediaType };
  if (isKnown) {
    body.close();
    return { ...shared, status: 304, headers, body: nothing() };
  }
  const { from, to, size } = answer;
  const part: Record<string, string> = range ? { "content-range": `bytes ${from}-${to - 1}/${size}` } : {};
  return {
    ...shared,
    status: range ? 206 : 200,
    headers: { ...headers, ...part, "content-length": String(to - from) },
    body: exactly(body.chunks(), to - from),
  };
}

/** An agent that sends another number of bytes than it said would break the connection for whatever comes behind. */
async function* exactly(chunks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of chunks) {
    left -= chunk.length;
    if (left < 0) break;
    yield chunk;
  }
  if (left !== 0) throw new Error("the sandbox sent another number of bytes than it said");
}

async function* nothing(): AsyncGenerator<Buffer> {}

function checkSize({ from, to }: WorkspaceAnswer<"read">): void {
  if (to - from <= fileTransferLimits.readBytes && to >= from) return;
  const mebibytes = fileTransferLimits.readBytes / 1024 / 1024;
  throw new BerthError("payload_too_large", `The file is larger than ${mebibytes} MiB.`, {
    hint: "Read a part of it with Range, or get it as an archive.",
  });
}

function named(path: string | undefined, pathBytes: string | undefined) {
  return { ...(path === undefined ? {} : { path }), ...(pathBytes === undefined ? {} : { pathBytes }) };
}
