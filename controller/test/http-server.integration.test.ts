import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { attachLimits, BerthError, type Readiness, route, strictObject } from "@berth/protocol";
import { temporaryDirectory } from "@berth/testkit";
import Type from "typebox";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Api } from "../src/http/api.ts";
import { mountWebSocket } from "../src/http/websocket.ts";
import { bearer, type TestServer, type TestServerOptions, testServer } from "./http.fixture.ts";

const echoRoute = route({
  method: "GET",
  path: "/echo/:id",
  summary: "Echoes",
  tag: "echo",
  access: "user",
  params: strictObject({ id: Type.String({ pattern: "^[a-z]+$" }) }),
  query: Type.Object({ cols: Type.Optional(Type.Integer()) }),
  status: 200,
  stream: "websocket",
});

function echoRoutes(api: Api): void {
  mountWebSocket(api, echoRoute, {
    authorise: async ({ params, query, caller }) => {
      if (params.id === "missing") throw new BerthError("not_found", "No.");
      return `${params.id} ${query.cols} ${caller.user.username}`;
    },
    connected: (socket, context) => {
      socket.send(context);
      socket.on("message", (data) => socket.send(data));
    },
  });
}

let scope: Scope;
let fixture: TestServer;
let origin: string;
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

async function start(options: TestServerOptions = {}): Promise<void> {
  fixture = await testServer(scope, { routes: [echoRoutes], ...options });
  origin = await fixture.listen();
}

/** The first message, or the status of the refusal. */
function dial(path: string, headers: Record<string, string>): Promise<{ socket: WebSocket; first: string } | number> {
  const socket = new WebSocket(`${origin.replace("http", "ws")}${path}`, { headers });
  scope.add(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.once("unexpected-response", (_, answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    socket.once("message", (data) => resolve({ socket, first: String(data) }));
    socket.once("error", reject);
  });
}

/** The status of a request whose `Host` is chosen, which fetch does not allow. */
function statusFor(path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(`${origin}${path}`, { headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.once("error", reject);
    call.end();
  });
}

describe("a WebSocket", () => {
  const cookie = () => ({ cookie: `berth_session=${fixture.token}` });

  test("is authorised, upgraded and handed over with what was found", async () => {
    await start();
    const open = await dial("/api/v1/echo/abc?cols=80", bearer(fixture.token));
    if (typeof open === "number") throw new Error(`refused: ${open}`);
    expect(open.first).toBe("abc 80 admin");
    const echoed = new Promise((resolve) => open.socket.once("message", resolve));
    open.socket.send(Buffer.from([1, 2, 3]));
    expect(await echoed).toEqual(Buffer.from([1, 2, 3]));
    expect(open.socket.extensions).toBe("");
  });

  test("is refused by plain HTTP answers before the upgrade", async () => {
    await start();
    const own = { origin };
    const good = bearer(fixture.token);
    const cases: [string, Record<string, string>, number][] = [
      ["/api/v1/echo/abc", {}, 401],
      ["/api/v1/echo/UPPER", {}, 401],
      ["/api/v1/nothing", {}, 401],
      ["/api/v1/echo/abc", bearer("brt_wrong"), 401],
      ["/api/v1/echo/abc", cookie(), 403],
      ["/api/v1/echo/abc", { ...cookie(), origin: "http://evil.example" }, 403],
      ["/api/v1/echo/UPPER", { ...cookie(), origin: "http://evil.example" }, 403],
      ["/api/v1/echo/missing", good, 404],
      ["/api/v1/nothing", good, 404],
      ["/api/v1/echo/UPPER", good, 400],
      ["/api/v1/echo/abc?cols=x", good, 400],
      ["/api/v1/echo/abc?more=1", good, 400],
      ["/api/v1/echo/abc", { ...good, host: "evil.example" }, 421],
      ["/api/v1/echo/%ZZ", { ...good, host: "evil.example" }, 421],
      ["/healthz", {}, 400],
      ["/api/v1/auth/me", good, 400],
      ["/api/v1/auth/me", {}, 401],
      ["/api/v1/echo/%ZZ", good, 400],
      ["/nowhere", good, 404],
    ];
    for (const [path, headers, status] of cases) expect([path, await dial(path, headers)]).toEqual([path, status]);
    expect(typeof (await dial("/api/v1/echo/abc", { ...cookie(), ...own }))).toBe("object");
  });

  test("route that is called without an upgrade is a 400", async () => {
    await start();
    expect(await statusFor("/api/v1/echo/abc", bearer(fixture.token))).toBe(400);
  });

  test("is closed when a frame is too large", async () => {
    await start();
    const open = await dial("/api/v1/echo/abc", bearer(fixture.token));
    if (typeof open === "number") throw new Error(`refused: ${open}`);
    const closed = new Promise((resolve) => open.socket.once("close", resolve));
    open.socket.on("error", () => {});
    open.socket.send(Buffer.alloc(attachLimits.clientFrameBytes + 1));
    expect([1009, 1006]).toContain(await closed);
  });

  test("is told when the server goes away, and does not hold it up", async () => {
    await start();
    const open = await dial("/api/v1/echo/abc", bearer(fixture.token));
    if (typeof open === "number") throw new Error(`refused: ${open}`);
    const closed = new Promise((resolve) => open.socket.once("close", resolve));
    const begun = performance.now();
    await fixture.server.close();
    expect(await closed).toBe(1012);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});

describe("health", () => {
  test("says that it lives, and whether it can work", async () => {
    const notReady: Readiness = { ready: false, version: "test", role: "standby", checks: {} };
    let state = notReady;
    await start({ readiness: async () => state });
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
    const down = await fetch(`${origin}/readyz`);
    expect([down.status, await down.json()]).toEqual([503, notReady]);
    expect((await fetch(`${origin}/readyz`, { method: "HEAD" })).status).toBe(503);
    state = { ...notReady, ready: true, role: "active" };
    expect((await fetch(`${origin}/readyz`)).status).toBe(200);
  });

  test("metrics are for this machine and for those signed in", async () => {
    await start();
    await fetch(`${origin}/api/v1/echo/abc`);
    const local = await (await fetch(`${origin}/metrics`)).text();
    expect(local).toContain("process_cpu_seconds_total");
    expect(local).toMatch(
      /berth_http_request_duration_seconds_count\{.*route="\/api\/v1\/echo\/:id".*status="401"\} 1/,
    );
    const proxied = { "x-forwarded-for": "10.0.0.9" };
    expect(await statusFor("/metrics", proxied)).toBe(401);
    expect(await statusFor("/metrics", { ...proxied, ...bearer(fixture.token) })).toBe(200);
  });
});

describe("the console", () => {
  async function built(): Promise<string> {
    const folder = await temporaryDirectory();
    scope.add(() => folder.dispose());
    mkdirSync(join(folder.path, "assets"));
    writeFileSync(join(folder.path, "index.html"), "<!doctype html><title>console</title>");
    writeFileSync(join(folder.path, "assets", "index-abc.js"), "export {};");
    writeFileSync(`${folder.path}-secret.txt`, "secret");
    scope.add(async () => (await import("node:fs/promises")).rm(`${folder.path}-secret.txt`));
    return folder.path;
  }
  const page = { accept: "text/html" };

  test("is one page for all of its addresses, with the headers that keep it safe", async () => {
    await start({ consoleDir: await built() });
    for (const path of ["/", "/index.html", "/sandboxes/web-1", "/?x=1"]) {
      const answer = await fetch(`${origin}${path}`, { headers: page });
      expect([path, answer.status]).toEqual([path, 200]);
      expect(await answer.text()).toContain("<title>console</title>");
      const policy = answer.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toMatch(/script-src[^;]*'unsafe-inline'/);
      expect(policy).toContain(`connect-src 'self' ${origin.replace("http", "ws")}`);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
      expect(answer.headers.get("cache-control")).toBe("no-cache");
    }
  });

  test("has files that browsers may keep for good", async () => {
    await start({ consoleDir: await built() });
    const answer = await fetch(`${origin}/assets/index-abc.js`);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "public, max-age=31536000, immutable"]);
    expect(answer.headers.get("content-type")).toContain("javascript");
  });

  test("answers 404 for what is no page of its own", async () => {
    const consoleDir = await built();
    await start({ consoleDir });
    const outside = encodeURIComponent(`../${consoleDir.split("/").at(-1)}-secret.txt`);
    for (const path of ["/assets/gone.js", "/api/v2/x", "/api/", `/${outside}`, "/%2e%2e%2fsecret"]) {
      const answer = await fetch(`${origin}${path}`, { headers: { accept: "application/javascript" } });
      expect([path, answer.status]).toEqual([path, 404]);
      expect(answer.headers.get("content-type")).toContain("application/problem+json");
    }
    expect((await fetch(`${origin}/`, { method: "POST" })).status).toBe(404);
    expect((await fetch(`${origin}/api/v1/nothing`, { headers: page })).status).toBe(401);
  });

  test("that is not built says how to build it", async () => {
    await start();
    const answer = await fetch(`${origin}/`, { headers: page });
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain("npm run build");
  });
});
