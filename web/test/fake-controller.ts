import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import * as protocol from "@berth/protocol";
import { apiPrefix, BerthError, parseJson, type Route } from "@berth/protocol";
import { Value } from "typebox/value";
import { WebSocketServer } from "ws";
import { FakeCluster } from "./fake-cluster.ts";
import { FakeConnection } from "./fake-connection.ts";
import { FakeFleet } from "./fake-fleet.ts";
import { FakeSnapshots } from "./fake-snapshots.ts";
import { FakeWorkspace } from "./fake-workspace.ts";

const password = "correct horse battery";
/** What signs in to a fake controller. */
export const credentials = { username: "admin", password, setupToken: "setup-token-0123456789" };

/** The content security policy of the real one: nothing inline may run. */
const policy =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'";

export interface Answer {
  status: number;
  body?: unknown;
  cookie?: string;
}
type Params = Record<string, string>;
export interface Call {
  params: Params;
  body: unknown;
  key: string | undefined;
  query: URLSearchParams;
  /** How long the body is. */
  bytes: number;
}
type Handler = (call: Call) => Answer | Promise<Answer>;

/** The controller's API in memory, with the console that was built: enough for every page, and for faults on demand. */
export class FakeController {
  readonly fleet = new FakeFleet();
  readonly cluster = new FakeCluster(this.fleet);
  readonly snapshots = new FakeSnapshots(this.fleet);
  readonly connection = new FakeConnection();
  /** The workspace of every sandbox. */
  readonly workspace = new FakeWorkspace();
  /** Of every terminal; empty: there is none. */
  recording = "";
  setupRequired = false;
  /** What is in every sandbox's repository and nowhere else. */
  unsaved: protocol.UnsavedWork = { known: true, commits: 0, files: 0, stashes: 0, paths: [] };
  readonly keptWork: readonly protocol.KeptWork[] = [
    {
      id: protocol.newId("keptWork"),
      sandboxId: protocol.newId("sandbox"),
      sandboxName: "gone",
      url: null,
      parts: [{ part: "bundle", bytes: 12_345 }],
      missing: null,
      createdAt: "2026-11-01T10:00:00.000Z",
      expiresAt: "2026-12-01T10:00:00.000Z",
    },
  ];
  /** What `/readyz` complains of. */
  trouble: { message: string; hint: string } | undefined;
  /** Uploads are answered when this has come. */
  uploads: Promise<void> = Promise.resolve();
  readonly #signedIn = new Set<string>();
  readonly #answers = new Map<string, Answer>();
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #routes: { route: Route; pattern: RegExp; handler: Handler }[] = [];
  readonly #dist: string;

  constructor(dist: string) {
    this.#dist = dist;
    this.#mountAll();
    this.#server.on("upgrade", (request, socket, head) => {
      const found = /\/terminals\/([^/]+)\/attach$/.exec(pathOf(request));
      const pty = this.fleet.ptys.get(found?.[1] ?? "");
      const status = !this.#isSignedIn(request) ? "401 Unauthorized" : pty ? undefined : "404 Not Found";
      if (status !== undefined || !pty) {
        socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (viewer) => pty.attach(viewer, urlOf(request).searchParams));
    });
  }

  /** Who signs in. */
  get userId(): string {
    return user.id;
  }

  get url(): string {
    const address = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${address.port}`;
  }

  /** Listens on a port of its own, or on the one that it had before. */
  listen(port = 0): Promise<void> {
    return new Promise((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
  }

  /** Goes away as a killed process does. */
  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.fleet.endStreams();
    this.workspace.endStreams();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** All sessions end. */
  expireSessions(): void {
    this.#signedIn.clear();
    this.fleet.endStreams();
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request);
    if (path === "/readyz") this.#serveReadiness(response);
    else if (path.startsWith(apiPrefix)) await this.#serveApi(request, response);
    else await this.#serveFile(path, response);
  }

  #serveReadiness(response: ServerResponse): void {
    const error = this.trouble ? { code: "proxmox_unavailable", ...this.trouble } : null;
    const checks = { proxmox: { ok: !error, error } };
    sendJson(response, { status: error ? 503 : 200, body: { ready: !error, version: "0", role: "active", checks } });
  }

  async #serveFile(path: string, response: ServerResponse): Promise<void> {
    const types: Record<string, string> = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
    const type = types[extname(path)];
    const content = await readFile(join(this.#dist, type ? path : "index.html"));
    response.writeHead(200, { "content-type": type ?? "text/html", "content-security-policy": policy }).end(content);
  }

  async #serveApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const path = pathOf(request).slice(apiPrefix.length);
      const found = this.#routes.find(({ route, pattern }) => route.method === request.method && pattern.test(path));
      if (!found) throw new BerthError("not_found", "There is no such call.");
      if (found.route.access === "user" && !this.#isSignedIn(request)) {
        throw new BerthError("unauthenticated", "Sign in first.");
      }
      const params = found.pattern.exec(path)?.groups ?? {};
      if (await this.workspace.serve(found.route, request, response)) return;
      if (found.route.stream === "sse") {
        this.fleet.stream(response, params.id);
        return;
      }
      if (found.route.stream === "download") {
        if (!this.recording) throw new BerthError("not_found", "Terminals are not recorded.");
        const disposition = 'attachment; filename="work-claude.cast"';
        response.writeHead(200, { "content-type": protocol.asciicastMediaType, "content-disposition": disposition });
        response.end(this.recording);
        return;
      }
      const text = await textOf(request);
      const body = parseJson(text);
      if (found.route.body && !Value.Check(found.route.body, body)) {
        throw new BerthError("invalid_request", "The body does not fit.");
      }
      const key = request.headers["idempotency-key"]?.toString();
      sendJson(
        response,
        await this.#once(key, () =>
          found.handler({ params, body, key, query: urlOf(request).searchParams, bytes: text.length }),
        ),
      );
    } catch (error) {
      sendProblem(response, error);
    }
  }

  async #once(key: string | undefined, act: () => Answer | Promise<Answer>): Promise<Answer> {
    const known = key === undefined ? undefined : this.#answers.get(key);
    if (known) return known;
    const answer = await act();
    if (key !== undefined) this.#answers.set(key, answer);
    return answer;
  }

  #isSignedIn(request: IncomingMessage): boolean {
    return this.#signedIn.has(/berth=(\w+)/.exec(request.headers.cookie ?? "")?.[1] ?? "");
  }

  #signIn(): Answer {
    const session = protocol.newId("token");
    this.#signedIn.add(session);
    return {
      status: 200,
      cookie: `berth=${session}; HttpOnly; SameSite=Strict; Path=/`,
      body: { token: session, user },
    };
  }

  #mountAll(): void {
    const { fleet } = this;
    this.#mount(protocol.setupStatus, () => ({ status: 200, body: { required: this.setupRequired } }));
    this.#mount(protocol.setup, ({ body }) => {
      if (!Value.Check(protocol.setup.body, body) || body.token !== credentials.setupToken || !this.setupRequired) {
        throw new BerthError("setup_link_invalid", "This set-up link was used already or has expired.", {
          hint: "Start the controller again for a new one.",
        });
      }
      this.setupRequired = false;
      return this.#signIn();
    });
    this.#mount(protocol.login, ({ body }) => {
      if (Value.Check(protocol.login.body, body) && body.password === password) return this.#signIn();
      throw new BerthError("unauthenticated", "The user name or the password is wrong.");
    });
    this.#mount(protocol.logout, () => {
      this.#signedIn.clear();
      return { status: 204 };
    });
    this.#mount(protocol.me, () => ({ status: 200, body: user }));
    this.#mount(protocol.listSandboxes, () => page([...fleet.sandboxes.values()]));
    this.#mount(protocol.listProjects, () => ({ status: 200, body: { items: fleet.projects } }));
    this.#mount(protocol.createSandbox, ({ body }) => ({ status: 202, body: fleet.create(body) }));
    this.#mount(protocol.deleteSandbox, ({ params, query }) => ({
      status: 202,
      body: fleet.destroy(params.id ?? "", query.get("discard") === "true"),
    }));
    for (const verb of ["start", "stop", "restart", "sleep", "wake"] as const) {
      const route = {
        start: protocol.startSandbox,
        stop: protocol.stopSandbox,
        restart: protocol.restartSandbox,
        sleep: protocol.sleepSandbox,
        wake: protocol.wakeSandbox,
      }[verb];
      this.#mount(route, ({ params }) => ({ status: 202, body: fleet.power(params.id ?? "", verb) }));
    }
    this.#mount(protocol.listTerminals, ({ params }) => page(fleet.terminalsOf(params.id ?? "")));
    this.#mount(protocol.createTerminal, ({ params, body }) => {
      const kind = Value.Check(protocol.createTerminal.body, body) ? body.kind : "shell";
      return { status: 201, body: fleet.openTerminal(params.id ?? "", kind) };
    });
    this.#mount(protocol.getTerminal, ({ params }) => ({ status: 200, body: fleet.terminal(params.id ?? "") }));
    this.#mount(protocol.deleteTerminal, ({ params }) => {
      fleet.closeTerminal(params.id ?? "");
      return { status: 204 };
    });
    this.#mount(protocol.dropFile, async ({ params, query, bytes }) => {
      await this.uploads;
      const name = query.get("name") ?? "";
      if (name.startsWith("full")) {
        const hint = "Make room in it, or give it a larger disk.";
        throw new BerthError("insufficient_storage", "The sandbox's disk is full.", { hint });
      }
      const path = `/workspace/.berth/dropped/${name}`;
      const typed = !name.startsWith("late");
      if (typed) fleet.ptys.get(params.id ?? "")?.print(`${path} `);
      return { status: 201, body: { path, bytes, typed } };
    });
    this.#mount(protocol.terminalRecording, () => ({ status: 200 }));
    this.#mount(protocol.getOperation, ({ params }) => ({ status: 200, body: fleet.operation(params.id ?? "") }));
    this.#mount(protocol.fleetEvents, () => ({ status: 200 }));
    this.#mount(protocol.operationEvents, () => ({ status: 200 }));
    this.#mount(protocol.getTemplate, () => ({ status: 200, body: fleet.template }));
    this.#mount(protocol.buildTemplate, () => ({ status: 202, body: fleet.build() }));
    this.#mount(protocol.deleteTemplate, ({ params }) => {
      const templates = fleet.template.templates.filter(({ vmid }) => String(vmid) !== params.vmid);
      fleet.template = { ...fleet.template, templates };
      return { status: 204 };
    });
    this.#mount(protocol.cancelOperation, ({ params }) => ({ status: 202, body: fleet.cancel(params.id ?? "") }));
    // The workspace serves these by itself.
    for (const route of this.workspace.routes) this.#mount(route, () => ({ status: route.status }));
    for (const part of [this.cluster, this.connection, this.snapshots]) {
      for (const [route, handler] of part.routes) this.#mount(route, handler);
    }
    this.#mountSettings();
  }

  #mountSettings(): void {
    const tokens = new Map<string, protocol.Token>();
    const now = new Date().toISOString();
    this.#mount(protocol.listTokens, () => page([...tokens.values()]));
    this.#mount(protocol.createToken, ({ body }) => {
      const name = Value.Check(protocol.createToken.body, body) ? body.name : "";
      const token = { id: protocol.newId("token"), name, createdAt: now, lastUsedAt: null, expiresAt: null };
      tokens.set(token.id, token);
      return { status: 201, body: { ...token, token: `berth_${"s3cr3t".repeat(6)}` } };
    });
    this.#mount(protocol.deleteToken, ({ params }) => {
      tokens.delete(params.id ?? "");
      return { status: 204 };
    });
    const kept = new Map<string, protocol.KeptWork>(this.keptWork.map((each) => [each.id, each]));
    this.#mount(protocol.listKeptWork, () => page([...kept.values()]));
    this.#mount(protocol.deleteKeptWork, ({ params }) => {
      kept.delete(params.id ?? "");
      return { status: 204 };
    });
    this.#mount(protocol.gitUnsaved, () => ({ status: 200, body: this.unsaved }));
    this.#mount(protocol.listKeys, () => page([]));
    this.#mount(protocol.createKey, () => {
      throw new BerthError("invalid_request", "This is not an SSH public key.", {
        hint: "Paste the whole line of a file like ~/.ssh/id_ed25519.pub.",
      });
    });
  }

  #mount(route: Route, handler: Handler): void {
    const pattern = new RegExp(`^${route.path.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`);
    this.#routes.push({ route, pattern, handler });
  }
}

const user = { id: protocol.newId("user"), username: "admin", role: "admin" };
const page = (items: unknown[]): Answer => ({ status: 200, body: { items, nextCursor: null } });
const urlOf = (request: IncomingMessage) => new URL(request.url ?? "/", "http://fake");
const pathOf = (request: IncomingMessage) => urlOf(request).pathname;

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

function sendJson(response: ServerResponse, { status, body, cookie }: Answer): void {
  if (cookie) response.setHeader("set-cookie", cookie);
  response
    .writeHead(status, { "content-type": "application/json" })
    .end(body === undefined ? "" : JSON.stringify(body));
}

function sendProblem(response: ServerResponse, error: unknown): void {
  if (!(error instanceof BerthError)) throw error;
  const { code, status, message: detail, hint, fields } = error;
  const more = { ...(hint === undefined ? {} : { hint }), ...(fields === undefined ? {} : { fields }) };
  const problem = { type: "about:blank", title: code, status, code, detail, ...more };
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
}
