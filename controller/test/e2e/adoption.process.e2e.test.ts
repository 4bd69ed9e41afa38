import { join } from "node:path";
import { systemClock } from "@berth/base";
import {
  adoptOrphan,
  adoptOrphans,
  Client,
  createTerminal,
  getDoctor,
  getOperation,
  getSandbox,
  listOrphans,
  listSandboxes,
  listTerminals,
  login,
  me,
  type Operation,
  type Sandbox,
  stopSandbox,
  type Terminal,
  terminalInput,
  terminalScreen,
  updateSandbox,
} from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import { eventually, testDatabase } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectProxmox } from "../../src/cluster/connection.ts";
import { connect } from "../../src/store/connect.ts";
import { ProxmoxControl } from "../proxmox-control.ts";
import { type Berth, startBerth } from "./berth.ts";

describe("a fleet whose database was dropped", () => {
  const databases: { url: string; dispose(): Promise<void> }[] = [];
  let berth: Berth;
  let proxmox: ProxmoxClient;
  let node: string;
  let pool: string;
  let client: Client;
  let shell: Terminal;
  const lost = new Map<string, { sandbox: Sandbox; row: IdentityRow }>();
  const strangers = [7001, 7002];
  let strangersBefore: unknown;

  beforeAll(async () => {
    for (let count = 0; count < 2; count += 1) databases.push(await testDatabase());
    berth = await startBerth({ env: { DATABASE_URL: databases[0]?.url ?? "" } });
    const { facts } = await ProxmoxControl.open(join(berth.dataDir, "proxmox"));
    const [tokenId = "", tokenSecret = ""] = facts.token.split("=");
    ({ node, pool } = facts);
    proxmox = connectProxmox(
      { urls: [facts.url], tokenId, tokenSecret, fingerprints: [facts.fingerprint] },
      systemClock,
      () => {},
    );
    const [web, db] = await Promise.all([
      berth.readySandbox({ name: "web", env: { EDITOR: "nano" } }),
      berth.readySandbox({ name: "db" }),
    ]);
    const { operation } = await berth.client.call(stopSandbox, { params: { id: db.id } });
    await berth.ended(operation.id);
    shell = await berth.client.call(createTerminal, { params: { id: web.id }, body: { kind: "shell" } });
    await berth.client.call(terminalInput, {
      params: { id: shell.id },
      body: { text: "echo still-$((40 + 2))", submit: true },
    });
    const before = await descriptionOf(web);
    await berth.client.call(updateSandbox, { params: { id: web.id }, body: { name: "shop" } });
    await eventually(async () => (await descriptionOf(web)) !== before, { what: "the new name" });
    await makeStrangers(web);
    for (const { id } of [web, db]) {
      const sandbox = await berth.client.call(getSandbox, { params: { id } });
      lost.set(id, { sandbox, row: await identityOf(databases[0]?.url, id) });
    }
    strangersBefore = await seeStrangers();
    await berth.crash();
    berth.env.DATABASE_URL = databases[1]?.url ?? "";
    await berth.start();
    const password = berth.env.BERTH_ADMIN_PASSWORD ?? "";
    const { token } = await new Client({ baseUrl: berth.url }).call(login, { body: { username: "admin", password } });
    client = new Client({ baseUrl: berth.url, token });
  }, 120_000);
  afterAll(async () => {
    await proxmox?.[Symbol.asyncDispose]();
    await berth?.dispose();
    for (const database of databases) await database.dispose();
  });

  const descriptionOf = async ({ vmid }: Sandbox) =>
    (await proxmox.containers.config({ node, vmid: vmid ?? 0 })).description;
  /** Somebody's own: one that has a copied description, one that has Berth's names, tag and pool. */
  async function makeStrangers(web: Sandbox): Promise<void> {
    const template = { node, vmid: 150 };
    for (const [index, vmid] of strangers.entries()) {
      const description = index === 0 ? await descriptionOf(web) : "berth: a sandbox of my own";
      const upid = await proxmox.containers.clone(template, { newId: vmid, hostname: "shop", description, pool });
      await proxmox.tasks.wait(upid, { pollMs: 20 });
      const { digest } = await proxmox.containers.config({ node, vmid });
      await proxmox.containers.configure({ node, vmid }, { digest, tags: ["berth"] });
    }
  }
  const seeStrangers = () =>
    Promise.all(
      strangers.map(async (vmid) => {
        const { raw, digest } = await proxmox.containers.config({ node, vmid });
        return { raw, digest, status: (await proxmox.containers.status({ node, vmid })).running };
      }),
    );
  const screenOf = async ({ id }: Terminal) => (await client.call(terminalScreen, { params: { id } })).text;
  const ended = ({ id }: Operation) =>
    eventually(
      async () => {
        const operation = await client.call(getOperation, { params: { id } });
        return operation.finishedAt === null ? undefined : operation;
      },
      { timeoutMs: 60_000, what: `the end of ${id}` },
    );

  it("lists what it can adopt, by the last names and owners, and nobody else's containers", async () => {
    expect((await client.call(listSandboxes, { query: {} })).items).toEqual([]);
    const { items } = await client.call(listOrphans, { query: {} });
    const found = items.map(({ sandboxId, vmid, name, owner, power }) => ({ sandboxId, vmid, name, owner, power }));
    const expected = [...lost.values()].map(({ sandbox: { id, vmid, name, state } }) => {
      return { sandboxId: id, vmid, name, owner: "admin", power: state === "ready" ? "running" : "stopped" };
    });
    expect(found).toEqual(expected.toSorted((a, b) => (a.vmid ?? 0) - (b.vmid ?? 0)));
    expect(found.map(({ name }) => name).toSorted()).toEqual(["db", "shop"]);
    const { checks } = await client.call(getDoctor, {});
    const check = checks.find(({ id }) => id === "orphans");
    expect(check).toMatchObject({ state: "warning", fix: "berth adopt --all" });
    expect(check?.detail).toMatch(/\(shop\)/);
    expect(check?.detail).not.toMatch(/700[12]/);
    for (const vmid of strangers) {
      await expect(client.call(adoptOrphan, { params: { vmid } })).rejects.toMatchObject({ code: "not_found" });
    }
  });

  it("has them again, as they were, with new secrets for their agents", async () => {
    const { items } = await client.call(adoptOrphans, {});
    expect(items).toHaveLength(2);
    for (const { operation } of items) {
      expect(operation.kind).toBe("adopt");
      expect(await ended(operation)).toMatchObject({ state: "succeeded", error: null });
    }
    const { id: ownerId } = await client.call(me, {});
    for (const [id, { sandbox, row }] of lost) {
      const now = await client.call(getSandbox, { params: { id } });
      const { name, state, vmid, cores, memoryMiB, diskGiB } = sandbox;
      expect(now).toMatchObject({ name, state, vmid, cores, memoryMiB, diskGiB, ownerId, drift: [] });
      const identity = await identityOf(databases[1]?.url, id);
      if (state !== "ready") continue;
      expect(now.agent.connected).toBe(true);
      const [terminal, ...others] = (await client.call(listTerminals, { params: { id }, query: {} })).items;
      expect(others).toEqual([]);
      expect(terminal).toMatchObject({ id: shell.id, kind: "shell" });
      await eventually(async () => (await screenOf(shell)).includes("still-42"), { what: "what was on its screen" });
      // Of what its programs have in their environment the rest is the fleet's.
      expect(now.envNames).toEqual(["EDITOR"]);
      expect(identity.agent_secret_hash).not.toBe(row.agent_secret_hash);
      expect(identity).toMatchObject({ machine_id: row.machine_id, host_key_fingerprint: row.host_key_fingerprint });
    }
    expect((await client.call(listOrphans, { query: {} })).items).toEqual([]);
    expect(await seeStrangers()).toEqual(strangersBefore);
  }, 90_000);
});

interface IdentityRow {
  agent_secret_hash: string | null;
  machine_id: string | null;
  host_key_fingerprint: string | null;
}

async function identityOf(url: string | undefined, id: string): Promise<IdentityRow> {
  const store = await connect({ url: url ?? "" });
  try {
    return await store.db
      .selectFrom("sandboxes")
      .select(["agent_secret_hash", "machine_id", "host_key_fingerprint"])
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
  } finally {
    await store.close();
  }
}
