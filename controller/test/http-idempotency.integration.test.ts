import { Scope } from "@berth/base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestServer } from "./http.fixture.ts";
import { ThingServer } from "./http-things.fixture.ts";

let scope: Scope;
let things: ThingServer;

beforeAll(async () => {
  scope = new Scope();
  things = await ThingServer.start(scope);
});
afterAll(() => scope.dispose());

describe("an idempotent call", () => {
  const key = (value: string) => ({ "idempotency-key": value });

  test("that is repeated acts once and answers the same", async () => {
    const before = things.made;
    const first = await things.post("/things", { id: "a", size: 1 }, key("k1"));
    // The order of fields makes no other body.
    const again = await things.post("/things", { size: 1, id: "a" }, key("k1"));
    expect(things.made - before).toBe(1);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.json).toEqual(first.json);
    expect([first.headers["idempotency-replayed"], again.headers["idempotency-replayed"]]).toEqual([undefined, "true"]);
  });

  test("with another body is a 422", async () => {
    await things.post("/things", { id: "a", size: 1 }, key("k2"));
    const { status, json } = await things.post("/things", { id: "a", size: 2 }, key("k2"));
    expect([status, json.code]).toEqual([422, "idempotency_key_reused"]);
  });

  test("with the same key on another path is another call", async () => {
    const before = things.made;
    for (const id of ["a", "b", "a"]) expect((await things.post(`/things/${id}/bump`, {}, key("k3"))).status).toBe(204);
    expect(things.made - before).toBe(2);
  });

  test("of twenty at once acts once", async () => {
    const before = things.made;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => things.post("/things", { id: "c", size: 3 }, key("k4"))),
    );
    expect(things.made - before).toBe(1);
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.body}`)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers["idempotency-replayed"] === "true")).toHaveLength(19);
  });

  test("that two controllers get at once acts once", async () => {
    const other = await things.beside(scope, things.http.store);
    const before = things.made;
    const send = (server: TestServer["server"]) =>
      server.inject({
        method: "POST",
        url: "/api/v1/things",
        headers: { host: "localhost", ...things.signedIn(), ...key("k7") },
        payload: { id: "d", size: 4 },
      });
    const servers = [things.http.server, other.server, things.http.server, other.server];
    const answers = await Promise.all(servers.map(send));
    expect(things.made - before).toBe(1);
    expect(answers.map((answer) => answer.statusCode)).toEqual([201, 201, 201, 201]);
  });

  test("that failed leaves nothing and may be tried again", async () => {
    const rows = () => things.http.store.db.selectFrom("setup_tokens").select("hash").execute();
    const before = (await rows()).length;
    expect((await things.post("/things", { id: "refused", size: 1 }, key("k5"))).status).toBe(409);
    expect((await rows()).length).toBe(before);
    expect((await things.post("/things", { id: "fine", size: 1 }, key("k5"))).status).toBe(201);
  });

  test("with a key after 24 hours acts again", async () => {
    await things.post("/things", { id: "a", size: 1 }, key("k6"));
    await things.http.store.pool.query(
      "update idempotency set created_at = created_at - interval '25 hours' where key = 'k6'",
    );
    const again = await things.post("/things", { id: "b", size: 2 }, key("k6"));
    expect([again.status, again.json.id]).toEqual([201, "b"]);
  });

  test.each([["é"], ["x".repeat(256)]])("with the key %s is a 400", async (value) => {
    expect((await things.post("/things", { id: "a", size: 1 }, key(value))).status).toBe(400);
  });
});
