import { randomUUID } from "node:crypto";
import { Scope } from "@berth/base";
import { newId, type TerminalRecord } from "@berth/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EventLog } from "../src/events/log.ts";
import { maxPerSandbox } from "../src/terminals/add.ts";
import { restoreTerminals } from "../src/terminals/restore.ts";
import { testStore } from "./http.fixture.ts";

const shell: TerminalRecord = { kind: "shell", env: {} };
const claude = (conversationId: string): TerminalRecord => ({ kind: "claude", env: {}, conversationId });

describe("the terminals that an adopted sandbox says that it has", () => {
  const scope = new Scope();
  let store: Awaited<ReturnType<typeof testStore>>;
  let events: EventLog;
  beforeAll(async () => {
    store = await testStore(scope);
    events = new EventLog({ db: store.db, pool: store.pool });
    for (const [id, username] of [
      ["usr_ada", "ada"],
      ["usr_bob", "bob"],
    ] as const) {
      await store.db.insertInto("users").values({ id, username, role: "admin" }).execute();
    }
  });
  afterAll(() => scope.dispose());

  const sandboxOf = async (ownerId: string) => {
    const id = newId("sandbox");
    await store.db
      .insertInto("sandboxes")
      .values({
        ...{ id, owner_id: ownerId, name: id.slice(4), cores: 1, memory_mib: 512, disk_gib: 4 },
        ...{ workspace: "{}", env: "{}", desired: "running", state: "starting" },
      })
      .execute();
    return { id, owner_id: ownerId };
  };
  const terminalsOf = ({ id }: { id: string }) =>
    store.db.selectFrom("terminals").selectAll().where("sandbox_id", "=", id).orderBy("id").execute();
  const told = async () =>
    (await store.db.selectFrom("events").select("owner_id").where("type", "=", "terminal").execute()).length;

  it("are its owner's again, with their conversations, and told of once", async () => {
    const sandbox = await sandboxOf("usr_ada");
    const conversation = randomUUID();
    const records = new Map([
      ["trm_00000000000000000001", claude(conversation)],
      ["trm_00000000000000000002", { ...shell, cwd: "src" }],
    ]);
    const before = await told();
    await restoreTerminals(events, sandbox, records);
    await restoreTerminals(events, sandbox, records);
    expect(await terminalsOf(sandbox)).toMatchObject([
      { id: "trm_00000000000000000001", owner_id: "usr_ada", kind: "claude", conversation_id: conversation },
      { id: "trm_00000000000000000002", owner_id: "usr_ada", kind: "shell", cwd: "src", conversation_id: null },
    ]);
    expect((await told()) - before).toBe(2);
  });

  it("are not those of another sandbox, nor somebody else's conversations, nor more than a sandbox may have", async () => {
    const [own, other] = [await sandboxOf("usr_ada"), await sandboxOf("usr_bob")];
    const conversation = randomUUID();
    const theirs = new Map([["trm_00000000000000000003", claude(conversation)]]);
    await restoreTerminals(events, other, theirs);
    const claimed = new Map([...theirs, ["trm_00000000000000000004", claude(conversation)] as const]);
    await restoreTerminals(events, own, claimed);
    expect(await terminalsOf(own)).toEqual([]);
    expect(await terminalsOf(other)).toMatchObject([{ owner_id: "usr_bob", conversation_id: conversation }]);
    await restoreTerminals(events, own, new Map([["trm_00000000000000000003", shell]]));
    expect(await terminalsOf(own)).toEqual([]);
    const many = Array.from({ length: maxPerSandbox + 5 }, () => [newId("terminal"), shell] as const);
    await restoreTerminals(events, own, new Map(many));
    expect(await terminalsOf(own)).toHaveLength(maxPerSandbox);
  });
});
