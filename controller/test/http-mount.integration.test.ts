import { Scope } from "@berth/base";
import { BerthError, problemSchema, type Route } from "@berth/protocol";
import { Validator } from "@seriousme/openapi-schema-validator";
import type { InjectOptions } from "fastify";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bearer } from "./http.fixture.ts";
import { ThingServer } from "./http-things.fixture.ts";

let scope: Scope;
let things: ThingServer;

beforeAll(async () => {
  scope = new Scope();
  things = await ThingServer.start(scope);
});
afterAll(() => scope.dispose());

describe("without a sign-in", () => {
  test.each<[string, InjectOptions]>([
    ["a route", { method: "GET", url: "/api/v1/things/abc" }],
    ["a bad parameter", { method: "GET", url: "/api/v1/things/UPPER" }],
    ["an unknown call", { method: "GET", url: "/api/v1/nothing/here" }],
    ["the prefix itself", { method: "GET", url: "/api/v1" }],
    ["another method", { method: "DELETE", url: "/api/v1/things" }],
    ["a method nobody has", { method: "OPTIONS", url: "/api/v1/things" }],
    [
      "a malformed body",
      { method: "POST", url: "/api/v1/things", headers: { "content-type": "application/json" }, payload: "{" },
    ],
    [
      "another content type",
      { method: "POST", url: "/api/v1/things", headers: { "content-type": "text/xml" }, payload: "<a/>" },
    ],
    [
      "a body that is too large",
      {
        method: "POST",
        url: "/api/v1/things",
        headers: { "content-type": "application/json" },
        payload: "x".repeat(2_000_000),
      },
    ],
    ["bad percent-encoding", { method: "GET", url: "/api/v1/things/%ZZ" }],
    ["a name that is too long", { method: "GET", url: `/api/v1/things/${"a".repeat(5000)}` }],
    ["a wrong token", { method: "GET", url: "/api/v1/things/abc", headers: bearer("brt_wrong") }],
    ["a wrong scheme", { method: "GET", url: "/api/v1/things/abc", headers: { authorization: "Basic YTpi" } }],
    ["a wrong cookie", { method: "GET", url: "/api/v1/things/abc", headers: { cookie: "berth_session=brt_wrong" } }],
  ])("%s is a 401", async (_, options) => {
    const { status, json, headers } = await things.call(options);
    expect(status).toBe(401);
    expect(json).toMatchObject({ code: "unauthenticated", status: 401 });
    expect(headers["content-type"]).toContain("application/problem+json");
    expect(headers["www-authenticate"]).toMatch(/^Bearer/);
  });

  test("a wrong token beside a good cookie is a 401", async () => {
    const headers = { ...bearer("brt_wrong"), cookie: `berth_session=${things.http.token}` };
    expect((await things.call({ method: "GET", url: "/api/v1/things/abc", headers })).status).toBe(401);
  });

  test("a foreign Host is a 421 before anything else", async () => {
    for (const url of ["/api/v1/things/abc", "/api/v1/things/%ZZ", "/healthz", "/", "/api/v1/auth/setup"]) {
      const { status, json } = await things.call({
        method: "GET",
        url,
        headers: { ...things.signedIn(), host: "evil.example" },
      });
      expect({ url, status, code: json.code }).toEqual({ url, status: 421, code: "misdirected_request" });
    }
  });
});

describe("with a sign-in", () => {
  test("text is read as the schema says, and only what the schema names leaves", async () => {
    const { status, json } = await things.call({
      method: "GET",
      url: "/api/v1/things/abc?size=3",
      headers: things.signedIn(),
    });
    expect({ status, json }).toEqual({ status: 200, json: { id: "abc", size: 3 } });
    const byDefault = await things.call({ method: "GET", url: "/api/v1/things/abc", headers: things.signedIn() });
    expect(byDefault.json).toEqual({ id: "abc", size: 7 });
  });

  test.each<[string, number, string, InjectOptions]>([
    ["a bad parameter", 400, "invalid_request", { method: "GET", url: "/api/v1/things/UPPER" }],
    ["a bad query", 400, "invalid_request", { method: "GET", url: "/api/v1/things/abc?size=x" }],
    ["an unknown query field", 400, "invalid_request", { method: "GET", url: "/api/v1/things/abc?other=1" }],
    ["a repeated query field", 400, "invalid_request", { method: "GET", url: "/api/v1/things/abc?size=1&size=2" }],
    ["a bad encoding", 400, "invalid_request", { method: "GET", url: "/api/v1/things/%ZZ" }],
    ["no body", 400, "invalid_request", { method: "POST", url: "/api/v1/things" }],
    [
      "broken JSON",
      400,
      "invalid_request",
      { method: "POST", url: "/api/v1/things", headers: { "content-type": "application/json" }, payload: '{"id":' },
    ],
    [
      "JSON of another type",
      400,
      "invalid_request",
      { method: "POST", url: "/api/v1/things", headers: { "content-type": "application/json" }, payload: "[1]" },
    ],
    [
      "an unknown field",
      400,
      "invalid_request",
      { method: "POST", url: "/api/v1/things", payload: { id: "a", size: 1, extra: 1 } },
    ],
    [
      "a number as text",
      400,
      "invalid_request",
      { method: "POST", url: "/api/v1/things", payload: { id: "a", size: "1" } },
    ],
    [
      "a poisoned prototype",
      400,
      "invalid_request",
      {
        method: "POST",
        url: "/api/v1/things",
        headers: { "content-type": "application/json" },
        payload: '{"id":"a","size":1,"__proto__":{"x":1}}',
      },
    ],
    [
      "a body where none is taken",
      400,
      "invalid_request",
      { method: "POST", url: "/api/v1/things/a/bump", payload: { force: true } },
    ],
    [
      "another content type",
      415,
      "unsupported_media_type",
      { method: "POST", url: "/api/v1/things", headers: { "content-type": "text/plain" }, payload: "a" },
    ],
    [
      "too large a body",
      413,
      "payload_too_large",
      {
        method: "POST",
        url: "/api/v1/things",
        headers: { "content-type": "application/json" },
        payload: `"${"x".repeat(1_100_000)}"`,
      },
    ],
    ["an unknown call", 404, "not_found", { method: "GET", url: "/api/v1/nothing" }],
    ["a name that is too long", 404, "not_found", { method: "GET", url: `/api/v1/things/${"a".repeat(5000)}` }],
    ["another method", 405, "method_not_allowed", { method: "DELETE", url: "/api/v1/things" }],
  ])("%s is a %d", async (_, status, code, options) => {
    const answer = await things.call({ ...options, headers: { ...things.signedIn(), ...options.headers } });
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status, code });
    expect(answer.headers["content-type"]).toContain("application/problem+json");
    expect(Value.Check(problemSchema, answer.json)).toBe(true);
    expect(answer.json.requestId).toBe(answer.headers["x-request-id"]);
  });

  test("a refusal names the fields", async () => {
    const { json } = await things.post("/things", { size: 1.5, tags: ["a", 3], more: 1 });
    expect(Object.keys(json.fields ?? {}).sort()).toEqual(expect.arrayContaining(["id", "more", "size"]));
  });

  test("a 405 says what would do", async () => {
    const { headers } = await things.call({ method: "PUT", url: "/api/v1/things/abc", headers: things.signedIn() });
    expect(headers.allow).toBe("GET");
  });

  test("an empty JSON body counts as none", async () => {
    const headers = { ...things.signedIn(), "content-type": "application/json" };
    expect((await things.call({ method: "POST", url: "/api/v1/things/a/bump", headers })).status).toBe(204);
    expect((await things.post("/things/a/bump", {})).status).toBe(204);
  });

  test("a bug is a 500 that tells nothing, and is in the log with its stack", async () => {
    things.failWith(() => {
      throw new Error("secret detail");
    });
    const { status, json, body } = await things.call({
      method: "GET",
      url: "/api/v1/failure",
      headers: things.signedIn(),
    });
    expect(status).toBe(500);
    expect(json.code).toBe("internal");
    expect(body).not.toContain("secret detail");
    const line = things.http
      .log()
      .split("\n")
      .find((text) => text.includes(String(json.requestId)) && text.includes("secret detail"));
    expect(line).toMatch(/http-mount/);
  });

  test("an expected error keeps its code, hint and detail", async () => {
    things.failWith(() => {
      throw new BerthError("sandbox_not_ready", "It is asleep.", { hint: "Start it." });
    });
    const { status, json } = await things.call({ method: "GET", url: "/api/v1/failure", headers: things.signedIn() });
    expect(status).toBe(409);
    expect(json).toMatchObject({ code: "sandbox_not_ready", detail: "It is asleep.", hint: "Start it." });
  });

  test("no token ever reaches the log", () => {
    expect(things.http.log()).not.toContain(things.http.token);
  });
});

describe("by cookie", () => {
  const cookie = () => ({ cookie: `berth_session=${things.http.token}` });
  const bump = (headers: Record<string, string>) =>
    things.call({ method: "POST", url: "/api/v1/things/a/bump", headers: { ...cookie(), ...headers } });

  test("reading needs no Origin", async () => {
    expect((await things.call({ method: "GET", url: "/api/v1/things/abc", headers: cookie() })).status).toBe(200);
  });

  test.each([
    [undefined, 403],
    ["null", 403],
    ["http://evil.example", 403],
    ["http://127.0.0.1:7401", 403],
    ["http://localhost:7400", 403],
    ["https://127.0.0.1:7400", 403],
    ["http://127.0.0.1:7400", 204],
  ])("a change with Origin %s is a %d", async (origin, status) => {
    expect((await bump(origin === undefined ? {} : { origin })).status).toBe(status);
  });

  test("a bearer token needs no Origin, whatever the cookie", async () => {
    expect((await bump(things.signedIn())).status).toBe(204);
  });

  test("a foreign page cannot sign anybody in", async () => {
    const { status } = await things.post(
      "/auth/login",
      { username: "admin", password: "x" },
      { origin: "http://evil.example" },
    );
    expect(status).toBe(403);
  });
});

describe("OpenAPI", () => {
  test("is public, valid 3.1 and has every mounted route", async () => {
    const { status, json } = await things.call({ method: "GET", url: "/api/v1/openapi.json" });
    expect(status).toBe(200);
    const checked = await new Validator().validate(structuredClone(json));
    expect(checked.errors ?? []).toEqual([]);
    expect(checked.valid).toBe(true);
    expect(json.openapi).toBe("3.1.0");
    const paths = Object.keys(json.paths ?? {});
    expect(paths).toEqual(expect.arrayContaining(["/api/v1/things/{id}", "/api/v1/auth/login", "/api/v1/events"]));
  });

  // The validator takes a text of several lines for a document, and one of one line for the name of a file.
  test("is valid for every route of the protocol", async () => {
    const protocol: Record<string, unknown> = await import("@berth/protocol");
    const { openApiDocument } = await import("../src/http/openapi.ts");
    const routes = Object.values(protocol).filter(isRoute);
    expect(routes.length).toBeGreaterThan(20);
    const checked = await new Validator().validate(JSON.stringify(openApiDocument(routes, "1"), null, 1));
    expect(checked.errors ?? []).toEqual([]);
  });
});

function isRoute(value: unknown): value is Route {
  return typeof value === "object" && value !== null && "method" in value && "path" in value && "access" in value;
}
