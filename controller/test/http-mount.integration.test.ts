import { Scope } from "@berth/base";
import { BerthError, problemSchema, type Route, route, strictObject } from "@berth/protocol";
import { Validator } from "@seriousme/openapi-schema-validator";
import type { InjectOptions } from "fastify";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../src/http/api.ts";
import { mount, mountTransactional } from "../src/http/mount.ts";
import { bearer, type TestServer, testServer } from "./http.fixture.ts";

const thing = Type.Object({ id: Type.String(), size: Type.Integer() });
const getThing = route({
  method: "GET",
  path: "/things/:id",
  summary: "A thing",
  tag: "things",
  access: "user",
  params: strictObject({ id: Type.String({ pattern: "^[a-z]{1,8}$" }) }),
  query: strictObject({ size: Type.Optional(Type.Integer({ minimum: 1, default: 7 })) }),
  status: 200,
  result: thing,
});
const makeThing = route({
  method: "POST",
  path: "/things",
  summary: "Make a thing",
  tag: "things",
  access: "user",
  idempotent: true,
  body: strictObject({ id: Type.String(), size: Type.Integer(), tags: Type.Optional(Type.Array(Type.String())) }),
  status: 201,
  result: thing,
});
const bumpThing = route({
  method: "POST",
  path: "/things/:id/bump",
  summary: "Grow a thing",
  tag: "things",
  access: "user",
  idempotent: true,
  params: strictObject({ id: Type.String() }),
  status: 204,
});
const failThing = route({
  method: "GET",
  path: "/failure",
  summary: "Fails",
  tag: "things",
  access: "user",
  status: 200,
});

let made = 0;
let fail: () => never = () => {
  throw new Error("secret detail");
};

function thingRoutes(api: Api): void {
  mount(api, getThing, async ({ params, query }) => {
    const withMore = { id: params.id, size: query.size ?? 0, secret: "not in the schema" };
    return withMore;
  });
  mountTransactional(api, makeThing, async ({ body }, { trx }) => {
    await trx
      .insertInto("setup_tokens")
      .values({ hash: `thing ${made}`, expires_at: new Date() })
      .execute();
    made += 1;
    if (body.id === "refused") throw new BerthError("conflict", "No.");
    return { id: body.id, size: body.size };
  });
  mountTransactional(api, bumpThing, async () => {
    made += 1;
    return undefined;
  });
  mount(api, failThing, async () => fail());
}

let scope: Scope;
let fixture: TestServer;
let call: (
  options: InjectOptions,
) => Promise<{ status: number; json: Record<string, unknown>; headers: Record<string, unknown>; body: string }>;

beforeAll(async () => {
  scope = new Scope();
  fixture = await testServer(scope, { routes: [thingRoutes] });
  call = async (options) => {
    const answer = await fixture.server.inject({ ...options, headers: { host: "127.0.0.1:7400", ...options.headers } });
    const text = answer.body;
    return {
      status: answer.statusCode,
      json: text.startsWith("{") ? answer.json() : {},
      headers: answer.headers,
      body: text,
    };
  };
});
afterAll(() => scope.dispose());

const signedIn = () => bearer(fixture.token);
const post = (url: string, payload: unknown, headers: Record<string, string> = {}) =>
  call({
    method: "POST",
    url: `/api/v1${url}`,
    headers: { ...signedIn(), "content-type": "application/json", ...headers },
    payload: JSON.stringify(payload),
  });

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
    const { status, json, headers } = await call(options);
    expect(status).toBe(401);
    expect(json).toMatchObject({ code: "unauthenticated", status: 401 });
    expect(headers["content-type"]).toContain("application/problem+json");
    expect(headers["www-authenticate"]).toMatch(/^Bearer/);
  });

  test("a wrong token beside a good cookie is a 401", async () => {
    const headers = { ...bearer("brt_wrong"), cookie: `berth_session=${fixture.token}` };
    expect((await call({ method: "GET", url: "/api/v1/things/abc", headers })).status).toBe(401);
  });

  test("a foreign Host is a 421 before anything else", async () => {
    for (const url of ["/api/v1/things/abc", "/api/v1/things/%ZZ", "/healthz", "/", "/api/v1/auth/setup"]) {
      const { status, json } = await call({ method: "GET", url, headers: { ...signedIn(), host: "evil.example" } });
      expect({ url, status, code: json.code }).toEqual({ url, status: 421, code: "misdirected_request" });
    }
  });
});

describe("with a sign-in", () => {
  test("text is read as the schema says, and only what the schema names leaves", async () => {
    const { status, json } = await call({ method: "GET", url: "/api/v1/things/abc?size=3", headers: signedIn() });
    expect({ status, json }).toEqual({ status: 200, json: { id: "abc", size: 3 } });
    const byDefault = await call({ method: "GET", url: "/api/v1/things/abc", headers: signedIn() });
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
    const answer = await call({ ...options, headers: { ...signedIn(), ...options.headers } });
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status, code });
    expect(answer.headers["content-type"]).toContain("application/problem+json");
    expect(Value.Check(problemSchema, answer.json)).toBe(true);
    expect(answer.json.requestId).toBe(answer.headers["x-request-id"]);
  });

  test("a refusal names the fields", async () => {
    const { json } = await post("/things", { size: 1.5, tags: ["a", 3], more: 1 });
    expect(Object.keys(json.fields ?? {}).sort()).toEqual(expect.arrayContaining(["id", "more", "size"]));
  });

  test("a 405 says what would do", async () => {
    const { headers } = await call({ method: "PUT", url: "/api/v1/things/abc", headers: signedIn() });
    expect(headers.allow).toBe("GET");
  });

  test("an empty JSON body counts as none", async () => {
    const headers = { ...signedIn(), "content-type": "application/json" };
    expect((await call({ method: "POST", url: "/api/v1/things/a/bump", headers })).status).toBe(204);
    expect((await post("/things/a/bump", {})).status).toBe(204);
  });

  test("a bug is a 500 that tells nothing, and is in the log with its stack", async () => {
    const { status, json, body } = await call({ method: "GET", url: "/api/v1/failure", headers: signedIn() });
    expect(status).toBe(500);
    expect(json.code).toBe("internal");
    expect(body).not.toContain("secret detail");
    const line = fixture
      .log()
      .split("\n")
      .find((text) => text.includes(String(json.requestId)) && text.includes("secret detail"));
    expect(line).toMatch(/http-mount/);
  });

  test("an expected error keeps its code, hint and detail", async () => {
    fail = () => {
      throw new BerthError("sandbox_not_ready", "It is asleep.", { hint: "Start it." });
    };
    const { status, json } = await call({ method: "GET", url: "/api/v1/failure", headers: signedIn() });
    expect(status).toBe(409);
    expect(json).toMatchObject({ code: "sandbox_not_ready", detail: "It is asleep.", hint: "Start it." });
  });

  test("no token ever reaches the log", () => {
    expect(fixture.log()).not.toContain(fixture.token);
  });
});

describe("by cookie", () => {
  const cookie = () => ({ cookie: `berth_session=${fixture.token}` });
  const bump = (headers: Record<string, string>) =>
    call({ method: "POST", url: "/api/v1/things/a/bump", headers: { ...cookie(), ...headers } });

  test("reading needs no Origin", async () => {
    expect((await call({ method: "GET", url: "/api/v1/things/abc", headers: cookie() })).status).toBe(200);
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
    expect((await bump(signedIn())).status).toBe(204);
  });

  test("a foreign page cannot sign anybody in", async () => {
    const { status } = await post(
      "/auth/login",
      { username: "admin", password: "x" },
      { origin: "http://evil.example" },
    );
    expect(status).toBe(403);
  });
});

describe("an idempotent call", () => {
  const key = (value: string) => ({ "idempotency-key": value });

  test("that is repeated acts once and answers the same", async () => {
    const before = made;
    const first = await post("/things", { id: "a", size: 1 }, key("k1"));
    // The order of fields makes no other body.
    const again = await post("/things", { size: 1, id: "a" }, key("k1"));
    expect(made - before).toBe(1);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.json).toEqual(first.json);
    expect([first.headers["idempotency-replayed"], again.headers["idempotency-replayed"]]).toEqual([undefined, "true"]);
  });

  test("with another body is a 422", async () => {
    await post("/things", { id: "a", size: 1 }, key("k2"));
    const { status, json } = await post("/things", { id: "a", size: 2 }, key("k2"));
    expect([status, json.code]).toEqual([422, "idempotency_key_reused"]);
  });

  test("with the same key on another path is another call", async () => {
    const before = made;
    for (const id of ["a", "b", "a"]) expect((await post(`/things/${id}/bump`, {}, key("k3"))).status).toBe(204);
    expect(made - before).toBe(2);
  });

  test("of twenty at once acts once", async () => {
    const before = made;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post("/things", { id: "c", size: 3 }, key("k4"))),
    );
    expect(made - before).toBe(1);
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.body}`)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers["idempotency-replayed"] === "true")).toHaveLength(19);
  });

  test("that two controllers get at once acts once", async () => {
    const other = await testServer(scope, { routes: [thingRoutes], store: fixture.store });
    const before = made;
    const send = (server: TestServer["server"]) =>
      server.inject({
        method: "POST",
        url: "/api/v1/things",
        headers: { host: "localhost", ...signedIn(), ...key("k7") },
        payload: { id: "d", size: 4 },
      });
    const servers = [fixture.server, other.server, fixture.server, other.server];
    const answers = await Promise.all(servers.map(send));
    expect(made - before).toBe(1);
    expect(answers.map((answer) => answer.statusCode)).toEqual([201, 201, 201, 201]);
  });

  test("that failed leaves nothing and may be tried again", async () => {
    const rows = () => fixture.store.db.selectFrom("setup_tokens").select("hash").execute();
    const before = (await rows()).length;
    expect((await post("/things", { id: "refused", size: 1 }, key("k5"))).status).toBe(409);
    expect((await rows()).length).toBe(before);
    expect((await post("/things", { id: "fine", size: 1 }, key("k5"))).status).toBe(201);
  });

  test("with a key after 24 hours acts again", async () => {
    await post("/things", { id: "a", size: 1 }, key("k6"));
    await fixture.store.pool.query(
      "update idempotency set created_at = created_at - interval '25 hours' where key = 'k6'",
    );
    const again = await post("/things", { id: "b", size: 2 }, key("k6"));
    expect([again.status, again.json.id]).toEqual([201, "b"]);
  });

  test.each([["é"], ["x".repeat(256)]])("with the key %s is a 400", async (value) => {
    expect((await post("/things", { id: "a", size: 1 }, key(value))).status).toBe(400);
  });
});

describe("OpenAPI", () => {
  test("is public, valid 3.1 and has every mounted route", async () => {
    const { status, json } = await call({ method: "GET", url: "/api/v1/openapi.json" });
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
