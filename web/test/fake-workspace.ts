import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import * as protocol from "@berth/protocol";
import { BerthError, type FileEntry, parseJson, type Route } from "@berth/protocol";
import { Value } from "typebox/value";
import { FakeGit } from "./fake-git.ts";

interface Call {
  query: URLSearchParams;
  json: unknown;
  bytes: Buffer;
  request: IncomingMessage;
}
/** What is answered: JSON, or bytes of a type. */
type Reply = { json?: unknown } | { bytes: Buffer; headers: Record<string, string> };
type Handler = (call: Call) => Reply;

/** Files and a repository in memory: enough for the console, and for changes from outside. */
export class FakeWorkspace {
  readonly files = new Map<string, Buffer>();
  readonly folders = new Set<string>();
  readonly git = new FakeGit();
  /** Entries of a page, so that few files make several. */
  pageEntries = 1000;
  readonly #handlers = new Map<Route, Handler>();
  readonly #streams = new Set<ServerResponse>();

  constructor() {
    this.#mountFiles();
    for (const [route, handler] of this.git.handlers((path) => this.files.get(path)?.toString() ?? "")) {
      this.#handlers.set(route, ({ query, json }) => ({ json: handler(query, json) }));
    }
    this.#handlers.set(protocol.fileEvents, () => ({}));
  }

  get routes(): readonly Route[] {
    return [...this.#handlers.keys()];
  }

  /** Puts a file there as a program in the sandbox does, and tells of it. */
  put(path: string, content: string | Buffer): void {
    this.files.set(path, Buffer.from(content));
    const parts = path.split("/").slice(0, -1);
    parts.forEach((_, index) => {
      this.folders.add(parts.slice(0, index + 1).join("/"));
    });
    this.tell([path]);
  }

  /** Tells that something has changed. */
  tell(paths: readonly string[]): void {
    for (const stream of this.#streams) send(stream, "changed", { paths: paths.map((path) => ({ path })) });
  }

  endStreams(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  /** Answers a call of the workspace's; false: it is none. */
  async serve(route: Route, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const handler = this.#handlers.get(route);
    if (!handler) return false;
    if (route === protocol.fileEvents) {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      this.#streams.add(response);
      response.on("close", () => this.#streams.delete(response));
      send(response, "watching", { partial: false });
      return true;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    const json = route.body ? parseJson(bytes.toString()) : undefined;
    if (route.body && !Value.Check(route.body, json)) throw new BerthError("invalid_request", "The body does not fit.");
    const { searchParams: query } = new URL(request.url ?? "/", "http://fake");
    const reply = handler({ query, json, bytes, request });
    if ("bytes" in reply) response.writeHead(200, reply.headers).end(reply.bytes);
    else {
      response.writeHead(route.status, { "content-type": "application/json" });
      response.end(reply.json === undefined ? "" : JSON.stringify(reply.json));
    }
    return true;
  }

  #mountFiles(): void {
    this.#handlers.set(protocol.listFiles, ({ query }) => ({ json: this.#list(pathOf(query), query.get("cursor")) }));
    this.#handlers.set(protocol.statFiles, ({ json }) => {
      const paths = Value.Check(protocol.statFiles.body, json) ? (json.paths ?? []) : [];
      return { json: { items: paths.map((path) => this.#entry(path) ?? null) } };
    });
    this.#handlers.set(protocol.readFile, ({ query }) => {
      const bytes = this.#file(pathOf(query));
      return { bytes, headers: { "content-type": typeOf(bytes), etag: `"${versionOf(bytes)}"` } };
    });
    this.#handlers.set(protocol.writeFile, ({ query, bytes, request }) => {
      const path = pathOf(query);
      const before = this.files.get(path);
      const version = query.get("version");
      if (request.headers["if-none-match"] === "*" && before) {
        throw new BerthError("conflict", "There is something of that name already.", { hint: "Choose another name." });
      }
      if (version !== null && (!before || version !== versionOf(before))) {
        throw new BerthError("conflict", "The file has changed.", { hint: "Read it again." });
      }
      this.put(path, bytes);
      const facts = { size: bytes.length, mtimeNs: "0", mode: 0o644 };
      return { json: { path, version: versionOf(bytes), ...facts, created: before === undefined } };
    });
    this.#handlers.set(protocol.removeFile, ({ query }) => {
      const path = pathOf(query);
      for (const each of [...this.files.keys()]) if (isIn(each, path)) this.files.delete(each);
      for (const each of [...this.folders]) if (isIn(each, path)) this.folders.delete(each);
      return {};
    });
    this.#handlers.set(protocol.makeFolder, ({ json }) => {
      const path = Value.Check(protocol.makeFolder.body, json) ? (json.path ?? "") : "";
      this.folders.add(path);
      return { json: { path } };
    });
    this.#handlers.set(protocol.moveFile, ({ json }) => {
      const { from = "", to = "" } = Value.Check(protocol.moveFile.body, json) ? json : {};
      if (this.#entry(to)) throw new BerthError("conflict", "There is something of that name already.");
      const bytes = this.#file(from);
      this.files.delete(from);
      this.put(to, bytes);
      return { json: { path: to } };
    });
    this.#handlers.set(protocol.downloadArchive, ({ query }) => {
      const name = `${pathOf(query) || "workspace"}.zip`;
      const headers = { "content-type": "application/zip", "content-disposition": `attachment; filename="${name}"` };
      return { bytes: Buffer.from("PK"), headers };
    });
    this.#handlers.set(protocol.searchFiles, ({ query }) => ({ json: this.#search(query) }));
  }

  #list(folder: string, cursor: string | null) {
    if (folder !== "" && !this.folders.has(folder)) throw new BerthError("not_found", "There is no such folder.");
    const inside = [...this.folders, ...this.files.keys()].filter(
      (path) => path.slice(0, Math.max(0, path.lastIndexOf("/"))) === folder,
    );
    const entries = inside.map((path) => this.#entry(path)).filter((entry) => entry !== undefined);
    entries.sort((a, b) => Number(b.type === "folder") - Number(a.type === "folder") || (a.name < b.name ? -1 : 1));
    const from = Number(cursor ?? 0);
    const to = from + this.pageEntries;
    return { items: entries.slice(from, to), nextCursor: to < entries.length ? String(to) : null };
  }

  #entry(path: string): FileEntry | undefined {
    const file = this.files.get(path);
    if (!file && !this.folders.has(path) && path !== "") return undefined;
    const type = file ? "file" : "folder";
    const name = path.slice(path.lastIndexOf("/") + 1);
    return { name, path, type, size: file?.length ?? 0, mtimeNs: "0", mode: 0o644 };
  }

  #file(path: string): Buffer {
    const file = this.files.get(path);
    if (!file) throw new BerthError("not_found", "There is no such file.");
    return file;
  }

  #search(query: URLSearchParams) {
    const q = query.get("q") ?? "";
    if (query.get("in") === "name") {
      const items = [...this.files.keys()].filter((path) => path.includes(q)).map((path) => ({ path }));
      return { items, end: "complete" };
    }
    const items = [...this.files].flatMap(([path, content]) =>
      content
        .toString()
        .split("\n")
        .map((text, index) => ({ path, match: { line: index + 1, text, ranges: rangesOf(text, q) } }))
        .filter(({ match }) => match.ranges.length > 0),
    );
    return { items, end: "complete" };
  }
}

function rangesOf(text: string, q: string): { start: number; end: number }[] {
  const start = text.indexOf(q);
  return start === -1 ? [] : [{ start, end: start + q.length }];
}

const pathOf = (query: URLSearchParams) => query.get("path") ?? "";
const isIn = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);
const versionOf = (bytes: Buffer) => createHash("md5").update(bytes).digest("hex");

function typeOf(bytes: Buffer): string {
  if (bytes.subarray(1, 4).toString() === "PNG") return "image/png";
  return bytes.includes(0) ? "application/octet-stream" : "text/plain; charset=utf-8";
}

function send(response: ServerResponse, event: string, data: unknown): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
