import * as protocol from "@berth/protocol";
import { apiPrefix, problemSchema, type Route } from "@berth/protocol";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { type Berth, startBerth } from "./berth.ts";

/** Every route that the protocol declares, found and not listed, so that later ones are held to the same. */
const routes = Object.entries(protocol).flatMap(([name, value]) => (isRoute(value) ? [[name, value] as const] : []));

function isRoute(value: unknown): value is Route {
  return typeof value === "object" && value !== null && "method" in value && "path" in value && "access" in value;
}

const openApiSchema = Type.Object({
  openapi: Type.String(),
  paths: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown())),
});

const someId = (path: string) => path.replace(/:[a-z]+/gi, "nothing-of-that-name");

describe("every route", () => {
  let berth: Berth;
  beforeAll(async () => {
    berth = await startBerth();
  });
  afterAll(() => berth.dispose());

  const send = (route: Route, more: { auth?: boolean; body?: string; path?: string; query?: string }) =>
    fetch(`${berth.url}${apiPrefix}${more.path ?? someId(route.path)}${more.query ?? ""}`, {
      method: route.method,
      headers: {
        ...(more.auth ? { authorization: `Bearer ${berth.token}` } : {}),
        ...(more.body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(more.body === undefined ? {} : { body: more.body }),
    });

  async function expectProblem(response: Response, status: (code: number) => boolean): Promise<void> {
    const text = await response.text();
    expect(status(response.status), `${response.status} ${text}`).toBe(true);
    expect(response.headers.get("content-type")).toContain("application/problem+json");
    expect(Value.Check(problemSchema, JSON.parse(text)), text).toBe(true);
  }
  const is4xx = (code: number) => code >= 400 && code < 500;

  it("is there to be checked", () => {
    expect(routes.length).toBeGreaterThan(25);
  });

  it.each(routes)("%s answers 401 to whoever has not signed in, whatever it names and sends", async (_name, route) => {
    if (route.access === "public") return;
    for (const body of route.body ? [undefined, "{", '{"x":1}'] : [undefined]) {
      await expectProblem(await send(route, body === undefined ? {} : { body }), (code) => code === 401);
    }
  });

  it.each(routes)("%s answers bad input with a problem", async (_name, route) => {
    const auth = route.access === "user";
    if (route.body) {
      for (const body of ["{", "[]", '"x"', '{"nosuchfield":1}', "null", `{"name":"${"x".repeat(5000)}"}`]) {
        await expectProblem(await send(route, { auth, body }), is4xx);
      }
    }
    if (route.query) await expectProblem(await send(route, { auth, query: "?limit=-1&cols=0&cursor=nonsense" }), is4xx);
    if (route.params) {
      for (const odd of [
        "%00",
        "%2e%2e%2f",
        "x".repeat(2000),
        "%ff",
        "sbx_00000000000000000000",
        "op_00000000000000000000",
      ]) {
        const response = await send(route, {
          auth,
          path: route.path.replace(/:[a-z]+/gi, odd),
          ...(route.body ? { body: "{}" } : {}),
        });
        await expectProblem(response, is4xx);
      }
    }
  });

  it("refuses an upgrade before it looks at what it names", async () => {
    const url = `${berth.url.replace("http", "ws")}${apiPrefix}/terminals/trm_00000000000000000000/attach`;
    expect(await upgradeStatus(url, {})).toBe(401);
    expect(await upgradeStatus(url, { authorization: "Bearer nonsense" })).toBe(401);
    expect(await upgradeStatus(url, { authorization: `Bearer ${berth.token}` })).toBe(404);
    const cookie = `berth_session=${berth.token}`;
    expect(await upgradeStatus(url, { cookie })).toBe(403);
    expect(await upgradeStatus(url, { cookie, origin: "https://evil.example" })).toBe(403);
    expect(await upgradeStatus(url, { cookie, origin: berth.url })).toBe(404);
  });

  it("is in the OpenAPI document", async () => {
    const document = Value.Parse(openApiSchema, await (await fetch(`${berth.url}${apiPrefix}/openapi.json`)).json());
    expect(document.openapi).toMatch(/^3\.1/);
    for (const [name, route] of routes) {
      const path = route.path.replace(/:([a-z]+)/gi, "{$1}");
      const found = document.paths[path] ?? document.paths[`${apiPrefix}${path}`];
      expect(found?.[route.method.toLowerCase()], name).toBeDefined();
    }
  });

  it("answers health without signing in", async () => {
    expect((await fetch(`${berth.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${berth.url}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${berth.url}/metrics`)).text();
    expect(metrics).toContain("process_cpu_seconds_total");
  });
});

function upgradeStatus(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.once("unexpected-response", (_request, response) => {
      resolve(response.statusCode ?? 0);
      response.resume();
      socket.terminate();
    });
    socket.once("open", () => {
      resolve(101);
      socket.terminate();
    });
    socket.once("error", (error) => reject(error));
  });
}
