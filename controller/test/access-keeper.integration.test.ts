import { PassThrough } from "node:stream";
import { Scope } from "@berth/base";
import { newId } from "@berth/protocol";
import { eventually, ManualClock } from "@berth/testkit";
import type { Kysely } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FleetKeys } from "../src/fleet/keys.ts";
import { createLogger } from "../src/http/logger.ts";
import { bootstrapBegins, bootstrapEnded, isBootstrapping } from "../src/ssh/access-delivered.ts";
import { type AccessConnection, AccessKeeper, type AccessKeeperDependencies } from "../src/ssh/access-keeper.ts";
import { type WantedAccess, wantedAccess } from "../src/ssh/access-wanted.ts";
import type { Database } from "../src/store/tables.ts";
import { testStore } from "./http.fixture.ts";

const keys = new FleetKeys(Buffer.alloc(32, 5), { certificate: "", privateKey: "" });
const dayMs = 24 * 3_600_000;

let scope: Scope;
let db: Kysely<Database>;
let clock: ManualClock;
let userId: string;
let sandboxId: string;
/** What the sandbox was given, in order. */
let delivered: WantedAccess[];
/** The host name that came with each. */
let named: string[];
let onDelivery: () => Promise<void>;

beforeEach(async () => {
  scope = new Scope();
  ({ db } = await testStore(scope));
  clock = new ManualClock(Date.UTC(2026, 5, 1));
  delivered = [];
  named = [];
  onDelivery = async () => {};
  userId = newId("user");
  await db.insertInto("users").values({ id: userId, username: "u", role: "admin", password_hash: null }).execute();
  sandboxId = newId("sandbox");
  await addSandbox({ id: sandboxId, name: "web" });
});
afterEach(() => scope.dispose());

const connection: AccessConnection = {
  deliver: async (wanted, name) => {
    await onDelivery();
    delivered.push(wanted);
    named.push(name);
  },
  close: () => {},
};

function keeper(reach: AccessKeeperDependencies["reach"] = async () => connection): AccessKeeper {
  const made = new AccessKeeper({
    db,
    keys,
    clock,
    log: createLogger("error", new PassThrough()),
    reach,
  });
  scope.add(() => made.stop());
  return made;
}

async function addSandbox(named: { id: string; name: string }): Promise<void> {
  const size = { cores: 1, memory_mib: 512, disk_gib: 4, workspace: '{"type":"empty"}', env: "{}" };
  const seen = { address: "10.0.0.7", bootstrapped_at: new Date(0) };
  await db
    .insertInto("sandboxes")
    .values({ ...named, owner_id: userId, state: "ready", desired: "running", ...size, ...seen })
    .execute();
}

async function addKey(line: string): Promise<string> {
  const id = newId("sshKey");
  await db
    .insertInto("ssh_keys")
    .values({ id, user_id: userId, name: "k", public_key: line, fingerprint: line })
    .execute();
  return id;
}

const set = (values: Record<string, unknown>) =>
  db.updateTable("sandboxes").set(values).where("id", "=", sandboxId).execute();
const known = async () =>
  (await db.selectFrom("sandboxes").select("access_delivered").where("id", "=", sandboxId).executeTakeFirstOrThrow())
    .access_delivered;
const hash = /^[0-9a-f]{64}$/;
const beginBootstrap = () => set({ access_delivered: bootstrapBegins() });
const endBootstrap = (brought: string | null) => set({ access_delivered: bootstrapEnded(brought) });
/** What the sandbox is to have at first, as a bootstrap finds it out. */
const wantedNow = () => wantedAccess(keys, { id: sandboxId, name: "web", address: "10.0.0.7" }, [], clock.now());
const people = () => delivered.at(-1)?.authorizedKeys.slice(1);

describe("the keys of a sandbox", () => {
  test("are delivered once, and again when they change", async () => {
    const access = keeper();
    await addKey("ssh-ed25519 A");
    const second = await addKey("ssh-ed25519 B");
    access.look(sandboxId);
    // Before that it says that a delivery is under way.
    await eventually(async () => hash.test((await known()) ?? ""));
    expect(people()).toEqual(["ssh-ed25519 A", "ssh-ed25519 B"]);
    access.look(sandboxId);
    await db.deleteFrom("ssh_keys").where("id", "=", second).execute();
    await access.keysChanged(userId);
    await eventually(() => people()?.length === 1);
    await eventually(async () => (await known()) === delivered.at(-1)?.hash);
    expect(delivered).toHaveLength(2);
  });

  test("are tried again until they are there, and never forgotten by who comes after a kill", async () => {
    onDelivery = () => Promise.reject(new Error("cut"));
    const first = keeper();
    await addKey("ssh-ed25519 A");
    first.look(sandboxId);
    await eventually(() => clock.pending > 0);
    expect(await known()).not.toMatch(hash);
    onDelivery = async () => {};
    await clock.advance(10_000);
    await eventually(() => delivered.length === 1);
    first.stop();
    // Killed in the middle of a delivery: what the sandbox has is not known.
    await set({ access_delivered: null });
    keeper().look(sandboxId);
    await eventually(() => delivered.length === 2);
  });

  test("that change while they are delivered are delivered anew", async () => {
    const access = keeper();
    let changed = false;
    onDelivery = async () => {
      if (changed) return;
      changed = true;
      await addKey("ssh-ed25519 late");
    };
    access.look(sandboxId);
    await eventually(() => people()?.includes("ssh-ed25519 late"));
    expect(delivered).toHaveLength(2);
  });

  test("wait for a bootstrap that writes the same, and do not claim what it may have overwritten", async () => {
    const access = keeper();
    await beginBootstrap();
    access.look(sandboxId);
    await eventually(() => clock.pending > 0);
    expect(delivered).toEqual([]);
    await endBootstrap(null);
    onDelivery = async () => {
      if (delivered.length === 0) await beginBootstrap();
    };
    await clock.advance(1_000);
    await eventually(() => delivered.length === 1);
    await eventually(() => clock.pending > 0);
    expect(isBootstrapping(await known())).toBe(true);
    // Nobody knows which of the two was the last to write in the sandbox.
    await endBootstrap(wantedNow().hash);
    expect(await known()).toBeNull();
    await clock.advance(1_000);
    await eventually(() => delivered.length === 2);
    await eventually(async () => (await known()) === delivered[1]?.hash);
  });

  test("that a bootstrap has brought are not brought again, unless they changed meanwhile", async () => {
    const access = keeper();
    for (const changes of [false, true]) {
      await set({ access_delivered: null });
      await beginBootstrap();
      const { hash: brought } = wantedNow();
      access.look(sandboxId);
      await eventually(() => clock.pending > 0);
      if (changes) await addKey("ssh-ed25519 late");
      await endBootstrap(brought);
      await clock.advance(1_000);
      if (changes) await eventually(() => people()?.includes("ssh-ed25519 late"));
      else await eventually(() => clock.pending === 0);
      expect(delivered).toHaveLength(changes ? 1 : 0);
    }
  });

  test("are its new user's, with its new name, once it is handed over, whatever was under way or cut before", async () => {
    const access = keeper();
    await addKey("ssh-ed25519 mine");
    for (const before of ["0".repeat(64), null, "bootstrap"]) {
      await set({ access_delivered: before });
      await access.handOver(sandboxId);
      expect(people()).toEqual(["ssh-ed25519 mine"]);
      expect(named.at(-1)).toBe("web");
      expect(await known()).toBe(delivered.at(-1)?.hash);
    }
    onDelivery = () => Promise.reject(new Error("cut"));
    await expect(access.handOver(sandboxId)).rejects.toThrow("cut");
    expect(await known()).not.toMatch(hash);
  });

  test("are brought by no bootstrap of which one cannot say whether it was alone", async () => {
    const states = [
      [null, true],
      [wantedNow().hash, true],
      // A controller was killed during it.
      ["bootstrap", false],
      ["bootstrap in doubt", false],
      ["delivery of somebody", false],
    ] as const;
    for (const [before, certain] of states) {
      await set({ access_delivered: before });
      await beginBootstrap();
      await endBootstrap(wantedNow().hash);
      expect(await known()).toBe(certain ? wantedNow().hash : null);
    }
    await beginBootstrap();
    // The keeper has given it up.
    await set({ access_delivered: null });
    await endBootstrap(wantedNow().hash);
    expect(await known()).toBeNull();
  });

  test("that nobody can deliver are tried ever less often", async () => {
    let tries = 0;
    const refused = keeper(async () => {
      tries += 1;
      throw new Error("connect ECONNREFUSED");
    });
    refused.look(sandboxId);
    for (let minute = 0; minute < 24 * 60; minute += 1) {
      await eventually(() => clock.pending > 0);
      await clock.advance(60_000);
    }
    // Half an hour of growing, and then one in seven to fifteen minutes.
    expect(tries).toBeGreaterThan(24 * 4);
    expect(tries).toBeLessThan(24 * 9);
    expect(await known()).toBeNull();
  });

  test("are not held up by sandboxes that nobody reaches", async () => {
    const hanging = ["a", "b", "c", "d", "e"].map((name) => ({ name, id: newId("sandbox") }));
    for (const values of hanging) await addSandbox(values);
    const tried = new Set<string>();
    const access = keeper(({ id }) => {
      if (id === sandboxId) return Promise.resolve(connection);
      if (tried.has(id)) return new Promise(() => {});
      tried.add(id);
      return Promise.reject(new Error("it does not answer"));
    });
    for (const { id } of hanging) access.look(id);
    await eventually(() => clock.pending === hanging.length);
    await clock.advance(10_000);
    access.look(sandboxId);
    await eventually(() => delivered.length === 1);
  });

  test("of one that is off wait for its hello; its certificate is renewed in time and says its present name", async () => {
    const access = keeper();
    await set({ desired: "stopped" });
    access.look(sandboxId);
    await access.keysChanged(userId);
    await set({ desired: "running" });
    access.look(sandboxId);
    await eventually(() => delivered.length === 1);
    await eventually(async () => (await known()) === delivered[0]?.hash);
    await set({ name: "renamed" });
    await access.lookAtAll();
    await eventually(() => delivered.length === 2);
    expect(delivered[1]?.certificate).toContain("renamed");
    expect(named).toEqual(["web", "renamed"]);
    await eventually(async () => (await known()) === delivered[1]?.hash);
    await clock.advance(31 * dayMs);
    await access.lookAtAll();
    await eventually(() => delivered.length === 3);
  });
});
