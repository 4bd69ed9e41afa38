import { generateKeyPairSync } from "node:crypto";
import { Scope } from "@berth/base";
import { sshKeyPair } from "@berth/base/node";
import {
  BerthError,
  Client,
  createKey,
  createToken,
  deleteKey,
  deleteToken,
  listKeys,
  listTokens,
  login,
  logout,
  me,
  setup,
  setupStatus,
} from "@berth/protocol";
import { ManualClock } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Identity } from "../src/identity/identity.ts";
import { adminPassword, type TestServer, type TestServerOptions, testServer } from "./http.fixture.ts";

let scope: Scope;
let fixture: TestServer;
let baseUrl: string;
let clock: ManualClock;

beforeEach(() => {
  scope = new Scope();
  clock = new ManualClock(Date.now());
});
afterEach(() => scope.dispose());

async function start(options: TestServerOptions = {}): Promise<void> {
  fixture = await testServer(scope, { clock, ...options });
  baseUrl = await fixture.listen();
}

const client = (token?: string) => new Client({ baseUrl, ...(token ? { token } : {}) });
const signIn = (password = adminPassword, username = "admin") => client().call(login, { body: { username, password } });
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "ok",
    (error: unknown) => (error instanceof BerthError ? error.code : String(error)),
  );
const audited = async () => {
  const rows = await fixture.store.db.selectFrom("audit").select("action").orderBy("id").execute();
  return rows.map((row) => row.action);
};
const key = (n: number) => sshKeyPair(Buffer.alloc(32, n), `key-${n}`).publicKey;

describe("signing in", () => {
  test("answers a token that works until it is signed out", async () => {
    await start();
    const { token, user } = await signIn();
    expect(token).toMatch(/^brt_[A-Za-z0-9_-]{43}$/);
    expect(await client(token).call(me, {})).toEqual(user);
    await client(token).call(logout, {});
    expect(await codeOf(client(token).call(me, {}))).toBe("unauthenticated");
    expect(await audited()).toEqual(["password.setting", "login", "logout"]);
  });

  test("keeps the token and the password as hashes only", async () => {
    await start();
    const { token } = await signIn();
    const tables = await Promise.all(
      (["users", "tokens", "audit"] as const).map((table) => fixture.store.db.selectFrom(table).selectAll().execute()),
    );
    const kept = JSON.stringify(tables);
    expect(kept).not.toContain(token);
    expect(kept).not.toContain(adminPassword);
    expect(kept).toContain("$argon2id$v=19$m=19456,t=2,p=1$");
  });

  test("sets a cookie for the console alone", async () => {
    await start({ publicUrl: "https://berth.lan" });
    const answer = await fetch(`${baseUrl}/api/v1/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: "admin", password: adminPassword }),
    });
    const cookie = answer.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^berth_session=brt_[^;]+; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Strict$/);
    const behindTls = await fixture.server.inject({
      method: "POST",
      url: "/api/v1/auth/login",
      headers: { host: "berth.lan" },
      payload: { username: "admin", password: adminPassword },
    });
    expect(behindTls.headers["set-cookie"]).toContain("; Secure");
  });

  test("with a wrong password or name is the same refusal", async () => {
    await start();
    const messages = await Promise.all(
      [signIn("wrong"), signIn("wrong", "nobody")].map((call) => call.catch((error: unknown) => String(error))),
    );
    expect(new Set(messages).size).toBe(1);
    expect(await codeOf(signIn("wrong"))).toBe("unauthenticated");
    expect(JSON.stringify(await fixture.store.db.selectFrom("audit").selectAll().execute())).not.toContain("nobody");
  });

  test("too often is a 429 that says when to come back", async () => {
    await start();
    for (let i = 0; i < 5; i += 1) await codeOf(signIn("wrong"));
    const answer = await fixture.server.inject({
      method: "POST",
      url: "/api/v1/auth/login",
      headers: { host: "localhost" },
      payload: { username: "admin", password: adminPassword },
    });
    expect([answer.statusCode, answer.json().code, answer.headers["retry-after"]]).toEqual([
      429,
      "limit_exceeded",
      "1",
    ]);
    await clock.advance(1000);
    expect(await codeOf(signIn())).toBe("ok");
  });

  test("lasts for thirty days after the last use", async () => {
    await start();
    const { token } = await signIn();
    await clock.advance(20 * 86_400_000);
    expect(await codeOf(client(token).call(me, {}))).toBe("ok");
    await clock.advance(20 * 86_400_000);
    expect(await codeOf(client(token).call(me, {}))).toBe("ok");
    await clock.advance(31 * 86_400_000);
    expect(await codeOf(client(token).call(me, {}))).toBe("unauthenticated");
    expect(await fixture.identity.sessions.prune()).toBeGreaterThan(0);
  });
});

describe("the first password", () => {
  const tokenOf = (link: string | undefined) => link?.split("#setup=")[1] ?? "";
  const complete = (token: string, password = "a long new password") =>
    client().call(setup, { body: { token, password } });

  test("is set by the link, once", async () => {
    await start({ withoutPassword: true });
    expect(await client().call(setupStatus, {})).toEqual({ required: true });
    expect(await codeOf(signIn())).toBe("setup_required");
    const link = await fixture.identity.setup.issueLink();
    expect(link).toMatch(/^\/#setup=[A-Za-z0-9_-]{43}$/);
    const { token, user } = await complete(tokenOf(link));
    expect(await client(token).call(me, {})).toEqual(user);
    expect(await client().call(setupStatus, {})).toEqual({ required: false });
    expect(await codeOf(complete(tokenOf(link)))).toBe("setup_link_invalid");
    expect(await codeOf(signIn("a long new password"))).toBe("ok");
    expect(await fixture.identity.setup.issueLink()).toBeUndefined();
    expect(fixture.log()).not.toContain(tokenOf(link));
    expect(await audited()).toEqual(["setup.link", "setup.done", "login"]);
  });

  test("is set by one of many who use the link at once", async () => {
    await start({ withoutPassword: true });
    const token = tokenOf(await fixture.identity.setup.issueLink());
    const passwords = Array.from({ length: 8 }, (_, i) => `password number ${i}`);
    // Below the throttle: the race is what is tested.
    const codes = await Promise.all(
      passwords.map((password) => codeOf(fixture.identity.setup.complete(token, password))),
    );
    expect(codes.filter((code) => code === "ok")).toHaveLength(1);
    expect(codes.filter((code) => code === "setup_link_invalid")).toHaveLength(7);
  });

  test("is not set by a link that is old, replaced, of an earlier run, or made up", async () => {
    await start({ withoutPassword: true });
    const replaced = tokenOf(await fixture.identity.setup.issueLink());
    const old = tokenOf(await fixture.identity.setup.issueLink());
    expect(await codeOf(complete(replaced))).toBe("setup_link_invalid");
    await clock.advance(3_600_001);
    expect(await codeOf(complete(old))).toBe("setup_link_invalid");
    const earlier = tokenOf(await fixture.identity.setup.issueLink());
    await fixture.identity.setup.prepare(undefined);
    expect(await codeOf(complete(earlier))).toBe("setup_link_invalid");
    expect(await codeOf(complete("made-up-made-up-made-up"))).toBe("setup_link_invalid");
    expect(await client().call(setupStatus, {})).toEqual({ required: true });
  });

  test("that is too short is refused and leaves the link good", async () => {
    await start({ withoutPassword: true });
    const token = tokenOf(await fixture.identity.setup.issueLink());
    expect(await codeOf(complete(token, "short"))).toBe("invalid_request");
    expect(await codeOf(complete(token))).toBe("ok");
  });

  test("from the settings replaces another and signs its sessions out, but keeps API tokens", async () => {
    await start();
    const { token } = await signIn();
    const api = await client(token).call(createToken, { body: { name: "ci" } });
    const again = new Identity({ db: fixture.store.db, clock });
    await again.setup.prepare(adminPassword);
    expect(await codeOf(client(token).call(me, {}))).toBe("ok");
    await again.setup.prepare("another long password");
    expect(await codeOf(client(token).call(me, {}))).toBe("unauthenticated");
    expect(await codeOf(client(api.token).call(me, {}))).toBe("ok");
    expect(await codeOf(signIn("another long password"))).toBe("ok");
  });
});

describe("API tokens", () => {
  test("are shown once, listed, used and revoked", async () => {
    await start();
    const owner = client(fixture.token);
    const made = await owner.call(createToken, { body: { name: "ci", expiresInDays: 1 } });
    expect(made.token).toMatch(/^brt_/);
    await client(made.token).call(me, {});
    const { items } = await owner.call(listTokens, { query: {} });
    expect(items).toMatchObject([{ id: made.id, name: "ci", lastUsedAt: new Date(clock.now()).toISOString() }]);
    expect(JSON.stringify(items)).not.toContain(made.token);
    await owner.call(deleteToken, { params: { id: made.id } });
    expect(await codeOf(client(made.token).call(me, {}))).toBe("unauthenticated");
    expect(await codeOf(owner.call(deleteToken, { params: { id: made.id } }))).toBe("not_found");
  });

  test("expire, and are no session to sign out of", async () => {
    await start();
    const made = await client(fixture.token).call(createToken, { body: { name: "ci", expiresInDays: 1 } });
    expect(await codeOf(client(made.token).call(logout, {}))).toBe("conflict");
    await clock.advance(86_400_000);
    expect(await codeOf(client(made.token).call(me, {}))).toBe("unauthenticated");
  });

  test("are listed by pages", async () => {
    await start();
    const owner = client(fixture.token);
    for (const name of ["a", "b", "c"]) {
      await owner.call(createToken, { body: { name } });
      await clock.advance(1000);
    }
    const first = await owner.call(listTokens, { query: { limit: 2 } });
    expect(first.items.map((item) => item.name)).toEqual(["c", "b"]);
    const second = await owner.call(listTokens, { query: { limit: 2, cursor: first.nextCursor ?? "" } });
    expect(second).toMatchObject({ items: [{ name: "a" }], nextCursor: null });
    expect(await codeOf(owner.call(listTokens, { query: { cursor: "nonsense" } }))).toBe("invalid_request");
  });
});

describe("SSH keys", () => {
  test("are added once, listed, removed, and each change is told", async () => {
    const changed: string[] = [];
    await start({ onKeysChanged: (userId) => changed.push(userId) });
    const owner = client(fixture.token);
    const made = await owner.call(createKey, { body: { publicKey: key(1) } });
    expect(made).toMatchObject({ name: "key-1", fingerprint: expect.stringMatching(/^SHA256:/) });
    expect(await codeOf(owner.call(createKey, { body: { publicKey: `${key(1)} again`, name: "x" } }))).toBe("conflict");
    expect((await owner.call(listKeys, { query: {} })).items).toEqual([made]);
    await owner.call(deleteKey, { params: { id: made.id } });
    expect(await codeOf(owner.call(deleteKey, { params: { id: made.id } }))).toBe("not_found");
    expect(changed).toEqual([fixture.user.id, fixture.user.id]);
    expect(await audited()).toEqual(["password.setting", "key.added", "key.removed"]);
  });

  test("that are none are refused", async () => {
    await start();
    const { publicKey } = generateKeyPairSync("ed25519", {
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const call = client(fixture.token).call(createKey, { body: { publicKey } });
    await expect(call).rejects.toMatchObject({ code: "invalid_request", fields: { publicKey: expect.any(String) } });
  });

  test("of another user are not there", async () => {
    await start();
    const made = await client(fixture.token).call(createKey, { body: { publicKey: key(2) } });
    await fixture.store.db
      .insertInto("users")
      .values({ id: "usr_00000000000000000000", username: "eve", password_hash: null, role: "admin" })
      .execute();
    const token = await fixture.store.db
      .transaction()
      .execute((trx) => fixture.identity.sessions.begin(trx, "usr_00000000000000000000"));
    expect((await client(token).call(listKeys, { query: {} })).items).toEqual([]);
    expect(await codeOf(client(token).call(deleteKey, { params: { id: made.id } }))).toBe("not_found");
  });
});
