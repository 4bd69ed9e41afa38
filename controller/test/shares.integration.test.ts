import { Scope } from "@berth/base";
import {
  attachShare,
  BerthError,
  Client,
  createShare,
  deleteShare,
  deleteTerminal,
  getShare,
  listShares,
  newId,
  openShare,
  routeUrl,
  shareLifetimes,
} from "@berth/protocol";
import { ManualClock } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { AgentRegistry } from "../src/agents/registry.ts";
import { EventLog } from "../src/events/log.ts";
import { SandboxLookup } from "../src/sandboxes/lookup.ts";
import { Guests } from "../src/shares/guests.ts";
import { Shares } from "../src/shares/repository.ts";
import { shareRoutes } from "../src/shares/routes.ts";
import { TerminalKeeper } from "../src/terminals/keeper.ts";
import { Terminals } from "../src/terminals/repository.ts";
import { terminalRoutes } from "../src/terminals/routes.ts";
import { type TestServer, testServer, testStore } from "./http.fixture.ts";
import { neverAsleep, notAwaited } from "./never-asleep.ts";

let scope: Scope;
let fixture: TestServer;
let baseUrl: string;
let clock: ManualClock;
let guests: Guests;
let shares: Shares;
let terminalId: string;

beforeEach(async () => {
  scope = new Scope();
  clock = new ManualClock(Date.now());
  const store = await testStore(scope);
  guests = new Guests(clock);
  shares = new Shares(store.db, clock);
  fixture = await testServer(scope, {
    clock,
    store,
    routes: [
      (api) => {
        const events = new EventLog({ db: store.db, pool: store.pool });
        const terminals = new Terminals(store.db, events);
        const registry = new AgentRegistry(clock);
        const keeper = new TerminalKeeper({ terminals, registry, sleepers: neverAsleep, log: api.fastify.log });
        scope.add(() => keeper.stop());
        const lookup = new SandboxLookup(store.db);
        const sleep = { sleepers: neverAsleep, awaitReady: notAwaited };
        terminalRoutes(api, { terminals, keeper, registry, lookup, events, guests, recording: true, ...sleep });
        shareRoutes(api, { shares, guests, terminals, registry, made: async () => {}, hold: () => () => {} });
      },
    ],
  });
  baseUrl = await fixture.listen();
  terminalId = await addTerminal();
});
afterEach(() => scope.dispose());

async function addTerminal(ownerId = fixture.user.id): Promise<string> {
  const { db } = fixture.store;
  const sandboxId = newId("sandbox");
  const sandbox = { id: sandboxId, owner_id: ownerId, name: sandboxId.slice(-12), state: "ready", desired: "running" };
  const size = { cores: 1, memory_mib: 512, disk_gib: 4, workspace: '{"kind":"empty"}', env: "{}" };
  await db
    .insertInto("sandboxes")
    .values({ ...sandbox, ...size } as never)
    .execute();
  const id = newId("terminal");
  const terminal = { id, owner_id: ownerId, sandbox_id: sandboxId, kind: "shell", cols: 100, rows: 30 } as const;
  await db
    .insertInto("terminals")
    .values({ ...terminal, state: "running", title: "the title" })
    .execute();
  return id;
}

const owner = () => new Client({ baseUrl, token: fixture.token });
const guest = (token?: string) => new Client({ baseUrl, ...(token ? { token } : {}) });
const make = async (body: { expiresInSeconds?: number; name?: string } = {}) => {
  const share = await owner().call(createShare, { params: { id: terminalId }, body });
  return { ...share, token: share.url.split("#")[1] ?? "" };
};
const open = (token: string) => guest().call(openShare, { body: { token } });
const list = async () => (await owner().call(listShares, { params: { id: terminalId } })).items;
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "ok",
    (error: unknown) => (error instanceof BerthError ? error.code : String(error)),
  );
const audited = async () => {
  const rows = await fixture.store.db.selectFrom("audit").select("action").orderBy("id").execute();
  return rows.map((row) => row.action).filter((action) => action.startsWith("share."));
};

/** An upgrade that is refused: its status; one that is not: how it closed. */
function attach(
  shareId: string,
  headers: Record<string, string>,
  query = "",
): Promise<{ status: number } | { code: number; text: string }> {
  const url = `${baseUrl}${routeUrl(attachShare, { params: { id: shareId } })}${query}`.replace("http", "ws");
  const socket = new WebSocket(url, { headers });
  scope.add(() => socket.terminate());
  return new Promise((resolve) => {
    let text = "";
    socket.on("unexpected-response", (request, response) => {
      resolve({ status: response.statusCode ?? 0 });
      request.destroy();
    });
    socket.on("error", () => {});
    socket.on("message", (data) => {
      text += String(data);
    });
    socket.on("close", (code) => resolve({ code, text }));
  });
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
async function untilGuests(shareId: string, count: number): Promise<void> {
  for (let turn = 0; guests.count(shareId) !== count; turn += 1) {
    if (turn > 500) throw new Error(`${guests.count(shareId)} guests`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a share", () => {
  test("is a link with a token in its fragment, which is kept as a hash only", async () => {
    const share = await make({ name: " for Ann " });
    expect(share).toMatchObject({ terminalId, name: "for Ann", lastUsedAt: null, guests: 0 });
    expect(share.url).toMatch(new RegExp(`^${baseUrl}/share#brs_[A-Za-z0-9_-]{43}$`));
    expect(Date.parse(share.expiresAt) - clock.now()).toBe(shareLifetimes.defaultSeconds * 1000);
    const rows = await Promise.all([
      fixture.store.db.selectFrom("shares").selectAll().execute(),
      fixture.store.db.selectFrom("audit").selectAll().execute(),
    ]);
    expect(JSON.stringify(rows)).not.toContain(share.token);
    expect(await list()).toEqual([expect.objectContaining({ id: share.id, name: "for Ann" })]);
    await open(share.token);
    expect(fixture.log()).not.toContain(share.token);
  });

  test("tells a guest no more than what it is for", async () => {
    const { id, token, expiresAt } = await make({ name: "demo" });
    const facts = { shareId: id, name: "demo", sharedBy: "admin", expiresAt, title: "the title" };
    const shown = { cols: 100, rows: 30, state: "running", sandboxState: "ready" };
    expect(await open(token)).toEqual({ ...facts, ...shown });
    expect(await guest(token).call(getShare, { params: { id } })).toEqual({ ...facts, ...shown });
    expect((await list())[0]?.lastUsedAt).toBe(new Date(clock.now()).toISOString());
  });

  test("signs in to nothing else", async () => {
    const { token } = await make();
    for (const path of [
      "auth/me",
      "sandboxes",
      `terminals/${terminalId}`,
      `terminals/${terminalId}/shares`,
      "events",
    ]) {
      for (const headers of [bearer(token), { cookie: `berth_share=${token}` }, { cookie: `berth_session=${token}` }]) {
        expect((await fetch(`${baseUrl}/api/v1/${path}`, { headers })).status, path).toBe(401);
      }
    }
    expect(await attach(newId("share"), bearer(fixture.token))).toEqual({ status: 401 });
  });

  test("is its owner's alone to make, see and revoke", async () => {
    const { id: shareId } = await make();
    const { db } = fixture.store;
    const other = newId("user");
    await db.insertInto("users").values({ id: other, username: "other", role: "admin", password_hash: null }).execute();
    const token = await db.transaction().execute((trx) => fixture.identity.sessions.begin(trx, other));
    const stranger = new Client({ baseUrl, token });
    const params = { id: terminalId };
    expect(await codeOf(stranger.call(createShare, { params, body: {} }))).toBe("not_found");
    expect(await codeOf(stranger.call(listShares, { params }))).toBe("not_found");
    expect(await codeOf(stranger.call(deleteShare, { params: { ...params, shareId } }))).toBe("not_found");
    const theirs = await addTerminal(other);
    expect(await codeOf(stranger.call(deleteShare, { params: { id: theirs, shareId } }))).toBe("not_found");
    expect(await list()).toHaveLength(1);
  });

  test("expires, is remembered for a while as one that has, and is then forgotten", async () => {
    const { id, token } = await make({ expiresInSeconds: 60 });
    await clock.advance(60_000);
    expect(await codeOf(open(token))).toBe("share_expired");
    expect(await attach(id, bearer(token))).toEqual({ status: 403 });
    expect(await list()).toEqual([]);
    expect(await shares.prune()).toBe(0);
    await clock.advance(8 * 86_400_000);
    expect(await shares.prune()).toBe(1);
    expect(await codeOf(open(token))).toBe("unauthenticated");
  });

  test("lasts between a minute and thirty days", async () => {
    expect(await codeOf(make({ expiresInSeconds: 59 }))).toBe("invalid_request");
    expect(await codeOf(make({ expiresInSeconds: shareLifetimes.maxSeconds + 1 }))).toBe("invalid_request");
    expect(await codeOf(make({ expiresInSeconds: shareLifetimes.maxSeconds }))).toBe("ok");
  });

  test("goes with its terminal, and with its sandbox", async () => {
    const { token } = await make();
    await owner().call(deleteTerminal, { params: { id: terminalId } });
    expect(await codeOf(open(token))).toBe("unauthenticated");
    terminalId = await addTerminal();
    await make();
    await fixture.store.db.deleteFrom("sandboxes").execute();
    expect(await fixture.store.db.selectFrom("shares").selectAll().execute()).toEqual([]);
  });

  test("is one of a bounded number, also when many are made at once", async () => {
    const made = await Promise.all(Array.from({ length: 30 }, () => codeOf(make())));
    expect(made.filter((code) => code === "ok")).toHaveLength(20);
    expect(made.filter((code) => code === "limit_exceeded")).toHaveLength(10);
    const [first] = await list();
    await owner().call(deleteShare, { params: { id: terminalId, shareId: first?.id ?? "" } });
    expect(await codeOf(make())).toBe("ok");
  });

  test("leaves audit rows, of its uses one a minute", async () => {
    const { id, token } = await make();
    for (let turn = 0; turn < 3; turn += 1) await open(token);
    await clock.advance(60_000);
    await open(token);
    await owner().call(deleteShare, { params: { id: terminalId, shareId: id } });
    expect(await audited()).toEqual(["share.made", "share.opened", "share.opened", "share.revoked"]);
    expect(await codeOf(owner().call(deleteShare, { params: { id: terminalId, shareId: id } }))).toBe("not_found");
  });
});

describe("a guest", () => {
  test("gets a cookie for the calls of that share alone", async () => {
    const { id, token } = await make();
    const answer = await fetch(`${baseUrl}/api/v1/shares/open`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    expect(answer.headers.get("set-cookie")).toBe(
      `berth_share=${token}; Max-Age=43200; Path=/api/v1/shares/${id}; HttpOnly; SameSite=Strict`,
    );
  });

  test("is refused at the upgrade without a token, with a wrong one, from a foreign page, and at another share", async () => {
    const [one, other] = [await make(), await make()];
    const cookie = { cookie: `berth_share=${one.token}` };
    expect(await attach(one.id, {})).toEqual({ status: 401 });
    expect(await attach(one.id, bearer(`brs_${"x".repeat(43)}`))).toEqual({ status: 401 });
    expect(await attach(one.id, cookie)).toEqual({ status: 403 });
    expect(await attach(one.id, { ...cookie, origin: "http://evil.example" })).toEqual({ status: 403 });
    expect(await attach(other.id, bearer(one.token))).toEqual({ status: 404 });
    expect(await attach(one.id, { ...cookie, origin: baseUrl, host: "evil.example" })).toEqual({ status: 421 });
    expect(await attach(one.id, bearer(one.token), "?cols=10&rows=10")).toEqual({ status: 400 });
    expect(await attach(one.id, bearer(one.token), "?input=abc:0")).toEqual({ status: 400 });
  });

  test("is not brought in by a form on a foreign page", async () => {
    const { token } = await make();
    const answer = await fetch(`${baseUrl}/api/v1/shares/open`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: "http://evil.example" },
      body: JSON.stringify({ token }),
    });
    expect([answer.status, answer.headers.get("set-cookie")]).toEqual([403, null]);
  });

  test("who tries wrong tokens has to wait, and right ones do not count", async () => {
    const { token } = await make();
    for (let turn = 0; turn < 5; turn += 1) {
      expect(await codeOf(open(token))).toBe("ok");
      expect(await codeOf(open(`brs_${String(turn).repeat(43)}`))).toBe("unauthenticated");
    }
    expect(await codeOf(open(token))).toBe("limit_exceeded");
    await clock.advance(1_000);
    expect(await codeOf(open(token))).toBe("ok");
  });

  test("is cut off when the share is revoked, and those of other shares stay", async () => {
    const [one, other] = [await make(), await make()];
    const cutOff = attach(one.id, { cookie: `berth_share=${one.token}`, origin: baseUrl });
    const stays = attach(other.id, bearer(other.token));
    await untilGuests(one.id, 1);
    await untilGuests(other.id, 1);
    expect((await list()).map(({ guests: count }) => count)).toEqual([1, 1]);
    await owner().call(deleteShare, { params: { id: terminalId, shareId: one.id } });
    expect(await cutOff).toMatchObject({ code: 1008, text: expect.stringContaining("share_revoked") });
    await untilGuests(one.id, 0);
    expect(guests.count(other.id)).toBe(1);
    expect(await attach(one.id, bearer(one.token))).toEqual({ status: 403 });
    guests.cutTerminal(terminalId);
    expect(await stays).toMatchObject({ code: 1008, text: expect.stringContaining("not_found") });
  });

  test("is cut off when the share expires, however far away that is", async () => {
    const { id, token } = await make({ expiresInSeconds: shareLifetimes.maxSeconds });
    const looking = attach(id, bearer(token));
    await untilGuests(id, 1);
    for (let day = 0; day < 30; day += 1) {
      expect(guests.count(id)).toBe(1);
      await clock.advance(86_400_000);
    }
    expect(await looking).toMatchObject({ code: 1008, text: expect.stringContaining("share_expired") });
    await untilGuests(id, 0);
  });

  test("is one of a bounded number", async () => {
    const { id, token } = await make();
    const looking = Array.from({ length: 16 }, () => attach(id, bearer(token)));
    await untilGuests(id, 16);
    expect(await attach(id, bearer(token))).toEqual({ status: 429 });
    guests.cutTerminal(terminalId);
    await Promise.all(looking);
  });
});
