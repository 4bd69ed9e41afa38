import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { Scope, systemClock } from "@berth/base";
import { type Connection, type Examination, type Proposal, proposalSchema } from "@berth/protocol";
import { ProxmoxClient } from "@berth/proxmox";
import { MemoryBackend, type RunningEmulator, startEmulator, subnetOf } from "@berth/pve-emulator";
import { temporaryDirectory } from "@berth/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Connections } from "../src/connection/change.ts";
import { type KeptConnection, keptConnectionPath, readKeptConnection } from "../src/connection/kept.ts";
import { connectionRoutes } from "../src/connection/routes.ts";
import { type FleetKeys, loadFleetKeys } from "../src/fleet/keys.ts";
import { describeOwner } from "../src/fleet/ownership.ts";
import { parseSettings } from "../src/settings/settings.ts";
import { ContentsFinder } from "../src/templates/contents.ts";
import { Templates } from "../src/templates/repository.ts";
import { bearer, type TestServer, testServer } from "./http.fixture.ts";

const scope = new Scope();
let dataDir: string;
let keys: FleetKeys;
/** The one that is used, and somebody's. */
let present: RunningEmulator;
let other: RunningEmulator;
let api: TestServer;
let changes = 0;

beforeAll(async () => {
  const folder = await temporaryDirectory("berth-connection-");
  scope.add(folder.dispose);
  dataDir = folder.path;
  keys = await loadFleetKeys(dataDir);
  present = scope.own(await memoryEmulator(`${dataDir}/present`));
  other = scope.own(await memoryEmulator(`${dataDir}/other`));
  api = await testServer(scope, { routes: [(mounted) => connectionRoutes(mounted, connections())] });
});
afterAll(() => scope.dispose());
beforeEach(() => {
  changes = 0;
});

function memoryEmulator(folder: string): Promise<RunningEmulator> {
  return startEmulator({
    dataDir: folder,
    backend: ({ tokenSecret }) =>
      new MemoryBackend({
        ...{ clock: systemClock, tokenSecret, subnet: subnetOf(folder), sshPort: 2222, sshUser: "root" },
        boot: async () => ({ kill: () => {} }),
      }),
  });
}

/** Of a controller that uses the present emulator as its bundled one, or as the environment says. */
function connections(env: Record<string, string> = {}, kept?: KeptConnection): Connections {
  // The routes are mounted before the server's store is known here.
  const store = () => api.store;
  const { settings } = parseSettings(env, { dataDir });
  const [tokenId = "", tokenSecret = ""] = present.token.split("=");
  return new Connections({
    ...{ settings, keys, clock: systemClock, kept, contents: new ContentsFinder() },
    get store() {
      return store();
    },
    get templates() {
      return new Templates(store().db);
    },
    cluster: {
      access: { urls: [present.url], tokenId, tokenSecret, fingerprints: [present.fingerprint] },
      ...{ pool: present.pool, storage: present.storage },
    },
    changed: () => {
      changes += 1;
    },
  });
}

function proposalFor(emulator: RunningEmulator, differences: Partial<Proposal> & { token?: string } = {}): Proposal {
  const { token = emulator.token, ...more } = differences;
  const [tokenId = "", tokenSecret = ""] = token.split("=");
  const { url, fingerprint, pool, storage, bridge } = emulator;
  return { urls: [url], tokenId, tokenSecret, fingerprints: [fingerprint], pool, storage, bridge, ...more };
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

async function call(method: Method, path: string, body?: object) {
  const { server, token } = api;
  const answer = await server.inject({
    ...{ method, url: `/api/v1/proxmox${path}`, headers: bearer(token) },
    ...(body ? { payload: body } : {}),
  });
  return { status: answer.statusCode, body: answer.body === "" ? undefined : answer.json(), text: answer.body };
}

async function examine(proposal: Proposal): Promise<Examination & { of: (id: string) => string | undefined }> {
  const { status, body } = await call("POST", "/check", proposal);
  expect(status).toBe(200);
  const found: Examination = body;
  return { ...found, of: (id) => found.checks.find((check) => check.id === id)?.state };
}

/** A sandbox's row, as if it were cloned. */
async function occupy(emulator: RunningEmulator, name: string): Promise<{ leave(): Promise<void> }> {
  const { db } = api.store;
  const id = `sbx_${name.padEnd(20, "0")}`;
  const [tokenId = "", tokenSecret = ""] = emulator.token.split("=");
  const client = new ProxmoxClient({
    ...{ urls: [emulator.url], credentials: { kind: "token", id: tokenId, secret: tokenSecret } },
    trust: { kind: "fingerprint", fingerprints: [emulator.fingerprint] },
  });
  const vmid = await client.cluster.nextId();
  const description = describeOwner(keys, id, vmid, { name, owner: "admin" });
  const upid = await client.containers.clone(
    { node: emulator.node, vmid: 150 },
    { newId: vmid, hostname: name, pool: emulator.pool, description },
  );
  expect((await client.tasks.wait(upid)).error).toBeUndefined();
  await db
    .insertInto("sandboxes")
    .values({
      ...{ id, owner_id: api.user.id, name, cores: 1, memory_mib: 512, disk_gib: 4, vmid, node: emulator.node },
      ...{ workspace: JSON.stringify({ type: "empty" }), env: "{}", desired: "stopped", state: "stopped" },
    })
    .execute();
  return {
    leave: async () => {
      await db.deleteFrom("sandboxes").where("id", "=", id).execute();
      await client.tasks.wait(await client.containers.destroy({ node: emulator.node, vmid }, { purge: true }));
      await client[Symbol.asyncDispose]();
    },
  };
}

describe("the connection to Proxmox", () => {
  it("tells which one is used, and not the token's secret", async () => {
    const { status, body, text } = await call("GET", "");
    const found: Connection = body;
    expect(status).toBe(200);
    expect(found).toMatchObject({
      source: "bundled",
      urls: [present.url],
      fingerprints: [present.fingerprint],
      occupants: 0,
    });
    expect(text).not.toContain(present.token.split("=")[1]);
  });

  it("is a matter of admins", async () => {
    const { db } = api.store;
    await sql`alter table users drop constraint users_role_check`.execute(db);
    await sql`update users set role = 'user' where id = ${api.user.id}`.execute(db);
    const proposal = proposalFor(other);
    for (const [method, path, body] of [
      ["GET", ""],
      ["GET", "/preparation"],
      ["POST", "/look", { url: other.url }],
      ["POST", "/check", proposal],
      ["PUT", "", proposal],
      ["DELETE", ""],
    ] as const) {
      expect((await call(method, path, body)).status, `${method} ${path}`).toBe(403);
    }
    await sql`update users set role = 'admin' where id = ${api.user.id}`.execute(db);
    expect(changes).toBe(0);
  });

  it("begins with a look at the certificate", async () => {
    const { status, body } = await call("POST", "/look", { url: other.url });
    expect(status).toBe(200);
    expect(body).toMatchObject({ address: other.url, fingerprint: other.fingerprint, distrust: expect.any(String) });
    const refused = await call("POST", "/look", { url: "https://127.0.0.1:1" });
    expect(refused).toMatchObject({ status: 503, body: { code: "proxmox_unavailable" } });
    expect(refused.body.detail).toMatch(/nothing listens on port 1/);
    expect((await call("POST", "/look", { url: "http://127.0.0.1:8006" })).status).toBe(400);
    expect((await call("POST", "/look", { url: `https://${"a".repeat(600)}` })).status).toBe(400);
  });

  it("is tried without being saved, and offers what there is to choose from", async () => {
    const found = await examine(proposalFor(other));
    expect(found).toMatchObject({ usable: true, grants: null, storages: [other.storage], bridges: [other.bridge] });
    expect(found.of("template")).toBe("ok");
    expect(await readKeptConnection(dataDir)).toBeUndefined();
    expect(changes).toBe(0);
  });

  it("is not usable by another fingerprint, and the token is not sent there", async () => {
    const before = other.control.calls.since(0).length;
    const found = await examine(proposalFor(other, { fingerprints: [present.fingerprint] }));
    expect(found.usable).toBe(false);
    expect(found.of(`certificate:${other.url}`)).toBe("failed");
    expect(other.control.calls.since(0)).toHaveLength(before);
    const saved = await call("PUT", "", proposalFor(other, { fingerprints: [present.fingerprint] }));
    expect(saved).toMatchObject({ status: 409, body: { code: "conflict" } });
    expect(changes).toBe(0);
  });

  it("is not usable by a token that may do nothing, and the lines that it is given mend that", async () => {
    const powerless = proposalFor(other, { token: other.powerlessToken });
    const before = await examine(powerless);
    expect(before.usable).toBe(false);
    expect((await call("PUT", "", powerless)).status).toBe(409);
    // The pool is there: that it cannot be seen is what the token lacks.
    for (const line of before.grants?.split("\n") ?? []) {
      if (!line.startsWith("pveum pool")) await other.control.pveum(line);
    }
    const after = await examine(powerless);
    expect(after.checks.filter(({ state }) => state === "failed")).toEqual([]);
    expect(after.usable).toBe(true);
  });

  it("is usable by the very token that the lines of the preparation make", async () => {
    const { body } = await call("GET", "/preparation?tokenId=mine@pve!here&pool=mine");
    const printed: (string | undefined)[] = [];
    for (const line of String(body.lines).split("\n")) printed.push(await other.control.pveum(line));
    const token = `${body.tokenId}=${printed.findLast((text) => text !== undefined)}`;
    const found = await examine(proposalFor(other, { token, pool: "mine" }));
    expect(found.checks.filter(({ state }) => state === "failed")).toEqual([]);
    expect(found).toMatchObject({ usable: true, pools: ["mine"] });
  });

  it("says nothing of the secret, whatever the other side makes of it", async () => {
    const { certificate: cert, privateKey: key } = keys.listener;
    const seen: string[] = [];
    const parrot = createServer({ cert, key }, (request, response) => {
      const words = request.headers.authorization ?? "";
      seen.push(words);
      response
        .writeHead(500, words, { "content-type": "application/json" })
        .end(JSON.stringify({ data: null, message: words }));
    });
    parrot.listen(0, "127.0.0.1");
    await once(parrot, "listening");
    const address: AddressInfo | string | null = parrot.address();
    const url = `https://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    const { body: certificate } = await call("POST", "/look", { url });
    const proposal = proposalFor(other, { urls: [url], fingerprints: [certificate.fingerprint] });
    const { status, text } = await call("POST", "/check", proposal);
    const saved = await call("PUT", "", proposal);
    parrot.close();
    await once(parrot, "close");
    expect(seen.some((words) => words.includes(proposal.tokenSecret))).toBe(true);
    expect([status, saved.status]).toEqual([200, 409]);
    for (const told of [text, saved.text, api.log()]) expect(told).not.toContain(proposal.tokenSecret);
  });

  it("is not saved while a sandbox is on the present one, which is named", async () => {
    const sandbox = await occupy(present, "web");
    const { status, body } = await call("PUT", "", proposalFor(other));
    expect(status).toBe(409);
    expect(body.detail).toBe("The Proxmox that is used now still has 1 sandbox (web).");
    expect(body.hint).toMatch(/delete the sandboxes/);
    expect((await call("GET", "")).body).toMatchObject({ occupants: 1 });
    expect(await readKeptConnection(dataDir)).toBeUndefined();
    expect(changes).toBe(0);
    await sandbox.leave();
  });

  it("is saved where it leads to the very Proxmox that the sandboxes are on", async () => {
    const sandbox = await occupy(other, "api");
    expect((await call("PUT", "", proposalFor(other))).status).toBe(202);
    expect(changes).toBe(1);
    await sandbox.leave();
  });

  it("is kept for its owner alone, written down without the secret, and has the controller start anew", async () => {
    const proposal = proposalFor(other, { vlan: 7 });
    expect(await call("PUT", "", proposal)).toMatchObject({ status: 202, text: "" });
    expect(await readKeptConnection(dataDir)).toMatchObject({ ...proposal, version: 1 });
    expect((await stat(keptConnectionPath(dataDir))).mode & 0o777).toBe(0o600);
    expect(changes).toBe(1);
    const rows = await api.store.db.selectFrom("audit").selectAll().where("action", "=", "proxmox.saved").execute();
    expect(rows.at(-1)).toMatchObject({ subject: other.url, detail: { tokenId: proposal.tokenId } });
    expect(JSON.stringify(rows)).not.toContain(proposal.tokenSecret);
    expect(api.log()).not.toContain(proposal.tokenSecret);
    expect(await readFile(keptConnectionPath(dataDir), "utf8")).toContain(proposal.tokenSecret);
  });

  it("cannot be changed where the environment says it", async () => {
    const [id = "", secret = ""] = present.token.split("=");
    const set = connections({ PROXMOX_URL: present.url, PROXMOX_TOKEN_ID: id, PROXMOX_TOKEN_SECRET: secret });
    const caller = { user: api.user, tokenId: "tok_x", by: "bearer" } as const;
    expect((await set.present()).source).toBe("environment");
    await expect(set.save(proposalFor(other), caller)).rejects.toMatchObject({ code: "conflict" });
    await expect(set.forget(caller)).rejects.toMatchObject({ code: "conflict" });
    expect(changes).toBe(0);
  });

  it("is forgotten for the bundled one, once nothing is on it", async () => {
    await call("PUT", "", proposalFor(other));
    const kept = await readKeptConnection(dataDir);
    const caller = { user: api.user, tokenId: "tok_x", by: "bearer" } as const;
    const sandbox = await occupy(present, "last");
    expect((await connections({}, kept).present()).source).toBe("kept");
    await expect(connections({}, kept).forget(caller)).rejects.toMatchObject({ code: "conflict" });
    await sandbox.leave();
    await connections({}, kept).forget(caller);
    expect(await readKeptConnection(dataDir)).toBeUndefined();
    expect(changes).toBe(2);
    expect(await call("DELETE", "")).toMatchObject({
      status: 409,
      body: { detail: "The bundled Proxmox is used already." },
    });
  });

  it("takes nothing but what it knows", async () => {
    expect(Object.keys(proposalSchema.properties)).toContain("tokenSecret");
    const proposal = proposalFor(other);
    const refused = await call("PUT", "", { ...proposal, tokenSecret: `${proposal.tokenSecret}0` });
    expect(refused.status).toBe(400);
    expect(refused.text).not.toContain(proposal.tokenSecret);
    expect((await call("PUT", "", { ...proposal, verify: false })).status).toBe(400);
    expect((await call("POST", "/check", { ...proposal, urls: Array(17).fill(other.url) })).status).toBe(400);
  });
});
