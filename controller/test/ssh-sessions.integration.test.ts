import { Scope } from "@berth/base";
import { BerthError, Client, listSshSessions, newId, sandboxSsh, sshGateway } from "@berth/protocol";
import { ManualClock } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FleetKeys } from "../src/fleet/keys.ts";
import { gatewayRoutes } from "../src/gateway/routes.ts";
import { SshSessions } from "../src/gateway/sessions.ts";
import { SandboxLookup } from "../src/sandboxes/lookup.ts";
import { type TestServer, testServer, testStore } from "./http.fixture.ts";

const dayMs = 24 * 3_600_000;
const keys = new FleetKeys(Buffer.alloc(32, 7), { certificate: "", privateKey: "" });

let scope: Scope;
let fixture: TestServer;
let client: Client;
let clock: ManualClock;
let sessions: SshSessions;

beforeEach(async () => {
  scope = new Scope();
  clock = new ManualClock(Date.UTC(2026, 5, 1));
  const store = await testStore(scope);
  sessions = new SshSessions(store.db, clock);
  const lookup = new SandboxLookup(store.db);
  fixture = await testServer(scope, {
    clock,
    store,
    routes: [
      (api) =>
        gatewayRoutes(api, {
          keys,
          lookup,
          sessions,
          username: async ({ ssh_user }) => {
            if (ssh_user === null) throw new Error("it cannot be asked");
            return ssh_user;
          },
          port: () => 7422,
          publicHost: undefined,
        }),
    ],
  });
  client = new Client({ baseUrl: await fixture.listen(), token: fixture.token });
});
afterEach(() => scope.dispose());

async function addSandbox(name: string, more: Record<string, unknown> = {}): Promise<{ id: string; name: string }> {
  const id = newId("sandbox");
  const size = { cores: 1, memory_mib: 512, disk_gib: 4, workspace: '{"type":"empty"}', env: "{}" };
  await fixture.store.db
    .insertInto("sandboxes")
    .values({ id, owner_id: fixture.user.id, name, state: "ready", desired: "running", ...size, ...more } as never)
    .execute();
  return { id, name };
}

const begin = (sandbox?: { id: string; name: string }) =>
  sessions.begin({
    ownerId: fixture.user.id,
    sandbox,
    login: sandbox?.name ?? "berth",
    keyFingerprint: "SHA256:x",
    remoteAddress: "10.0.0.1",
    client: "OpenSSH_9.2",
  });

describe("what is told of the gateway", () => {
  test("is where it is, and the keys by which it and the sandboxes are known", async () => {
    const told = await client.call(sshGateway, {});
    expect(told).toMatchObject({ host: "127.0.0.1", port: 7422, user: "berth" });
    expect(told.gatewayKnownHosts).toBe(`[127.0.0.1]:7422 ${told.hostKey}`);
    expect(told.hostKey).not.toBe(told.certAuthority);
    expect(`${keys.gatewayHostKey.publicKey} `.startsWith(`${told.hostKey} `)).toBe(true);
  });

  test("names a sandbox's own server, port and key", async () => {
    const { id } = await addSandbox("web", { address: "10.0.0.7", ssh_port: 2222, ssh_user: "dev" });
    const told = await client.call(sandboxSsh, { params: { id: "web" } });
    expect(told).toMatchObject({ address: "10.0.0.7", port: 2222, user: "dev", principals: ["web", id, "10.0.0.7"] });
    expect(told.knownHosts).toBe(`[web]:2222,[${id}]:2222,[10.0.0.7]:2222 ${told.hostKey}`);
    await addSandbox("bare");
    const bare = await client.call(sandboxSsh, { params: { id: "bare" } });
    expect(bare).toMatchObject({ address: null, port: 22, user: "berth" });
    expect(bare.knownHosts.startsWith("bare,sbx_")).toBe(true);
  });
});

describe("the sessions of a user", () => {
  test("are listed with their traffic, page by page, the newest first", async () => {
    const web = await addSandbox("web");
    const ids: string[] = [];
    for (const sandbox of [web, undefined, web]) {
      ids.unshift(await begin(sandbox));
      await clock.advance(1000);
    }
    await sessions.note(ids[0] ?? "", { bytesIn: 1, bytesOut: 5_000_000_000, channels: { exec: 1 } });
    await sessions.end(ids[1] ?? "", { bytesIn: 2, bytesOut: 3, channels: { shell: 2 } }, "the client left");
    const first = await client.call(listSshSessions, { query: { limit: 2 } });
    expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first.items[0]).toMatchObject({ sandboxName: "web", endedAt: null, bytesOut: 5_000_000_000 });
    expect(first.items[1]).toMatchObject({ sandboxId: null, endReason: "the client left", channels: { shell: 2 } });
    const second = await client.call(listSshSessions, { query: { limit: 2, cursor: first.nextCursor ?? "" } });
    expect(second).toMatchObject({ items: [{ id: ids[2] }], nextCursor: null });
    const ofWeb = await client.call(listSshSessions, { query: { sandbox: "web" } });
    expect(ofWeb.items.map(({ id }) => id)).toEqual([ids[0], ids[2]]);
  });

  test("are nobody else's, and a cursor that is none is refused", async () => {
    const other = newId("user");
    await fixture.store.db
      .insertInto("users")
      .values({ id: other, username: "other", role: "admin" } as never)
      .execute();
    await begin();
    await fixture.store.db.updateTable("ssh_sessions").set({ owner_id: other }).execute();
    expect((await client.call(listSshSessions, {})).items).toEqual([]);
    await expect(client.call(listSshSessions, { query: { cursor: "1.x" } })).rejects.toThrow(BerthError);
  });

  test("that a killed controller left open are ended by the next one, and old ones are forgotten", async () => {
    const old = await begin();
    await sessions.endLeftOpen();
    const [left] = (await client.call(listSshSessions, {})).items;
    expect(left).toMatchObject({ id: old, endReason: "the controller was killed" });
    await clock.advance(91 * dayMs);
    const open = await begin();
    expect(await sessions.prune()).toBe(1);
    const kept = await sessions.list(fixture.user.id, { limit: 10 });
    expect(kept.items.map(({ id }) => id)).toEqual([open]);
  });
});
