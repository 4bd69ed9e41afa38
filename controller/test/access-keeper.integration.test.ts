import { PassThrough } from "node:stream";
import { Scope } from "@berth/base";
import { newId } from "@berth/protocol";
import { eventually, ManualClock } from "@berth/testkit";
import type { Kysely } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FleetKeys } from "../src/fleet/keys.ts";
import { createLogger } from "../src/http/logger.ts";
import { AccessKeeper, bootstrapUnderWay } from "../src/ssh/access-keeper.ts";
import type { WantedAccess } from "../src/ssh/access-wanted.ts";
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
let onDelivery: () => Promise<void>;

beforeEach(async () => {
  scope = new Scope();
  ({ db } = await testStore(scope));
  clock = new ManualClock(Date.UTC(2026, 5, 1));
  delivered = [];
  onDelivery = async () => {};
  userId = newId("user");
  await db.insertInto("users").values({ id: userId, username: "u", role: "admin", password_hash: null }).execute();
  sandboxId = newId("sandbox");
  const size = { cores: 1, memory_mib: 512, disk_gib: 4, workspace: '{"type":"empty"}', env: "{}" };
  const seen = { address: "10.0.0.7", bootstrapped_at: new Date(0) };
  await db
    .insertInto("sandboxes")
    .values({ id: sandboxId, owner_id: userId, name: "web", state: "ready", desired: "running", ...size, ...seen })
    .execute();
});
afterEach(() => scope.dispose());

function keeper(): AccessKeeper {
  const made = new AccessKeeper({
    db,
    keys,
    clock,
    log: createLogger("error", new PassThrough()),
    deliver: async (_row, wanted) => {
      await onDelivery();
      delivered.push(wanted);
    },
  });
  scope.add(() => made.stop());
  return made;
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
const people = () => delivered.at(-1)?.authorizedKeys.slice(1);

describe("the keys of a sandbox", () => {
  test("are delivered once, and again when they change", async () => {
    const access = keeper();
    await addKey("ssh-ed25519 A");
    const second = await addKey("ssh-ed25519 B");
    access.look(sandboxId);
    await eventually(async () => (await known()) !== null);
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
    expect(await known()).toBeNull();
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
    await set({ access_delivered: bootstrapUnderWay });
    access.look(sandboxId);
    await eventually(() => clock.pending > 0);
    expect(delivered).toEqual([]);
    await set({ access_delivered: null });
    onDelivery = async () => {
      // One that begins meanwhile has the last word.
      if (delivered.length === 0) await set({ access_delivered: bootstrapUnderWay });
    };
    await clock.advance(1_000);
    await eventually(() => delivered.length === 1);
    await eventually(() => clock.pending > 0);
    expect(await known()).toBe(bootstrapUnderWay);
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
    await eventually(async () => (await known()) === delivered[1]?.hash);
    await clock.advance(31 * dayMs);
    await access.lookAtAll();
    await eventually(() => delivered.length === 3);
  });
});
