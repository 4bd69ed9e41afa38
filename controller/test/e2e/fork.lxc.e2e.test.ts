import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  forkSandbox,
  getSandbox,
  guestPaths,
  listSnapshots,
  listTerminals,
  parseJson,
  type Sandbox,
  type Terminal,
} from "@berth/protocol";
import { eventually, type MessagesStub, startMessagesStub } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { converse } from "./conversation.ts";
import { ViewerSet } from "./sandbox-programs.ts";

const size = { cols: 100, rows: 30 };
const configSchema = Type.Object({ sandboxId: Type.String(), machineId: Type.String(), secret: Type.String() });

describe("a sandbox that is copied while Claude has a conversation in it", () => {
  let stub: MessagesStub;
  let berth: Berth;
  let source: Sandbox;
  let copy: Sandbox;
  let before: Identity;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    stub = await startMessagesStub();
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "", ...env } = stub.environment;
    berth = await startBerth({ env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN } });
    source = await berth.readySandbox({ name: "source", env });
    before = await identityOf(source);
  });
  afterAll(async () => {
    viewers.closeAll();
    await berth?.dispose();
    await stub?.dispose();
  });

  const read = async (sandbox: Sandbox, path: string) =>
    (await readFile(join(await berth.rootOf(sandbox), path), "utf8")).trim();

  /** All by which a sandbox is told from others. */
  async function identityOf(sandbox: Sandbox) {
    const config = Value.Parse(configSchema, parseJson(await read(sandbox, guestPaths.agentConfig)));
    const { sandboxId, machineId, secret } = config;
    return {
      ...{ sandboxId, machineId, secret },
      machine: await read(sandbox, guestPaths.machineId),
      hostKey: await read(sandbox, `${guestPaths.sshHostKey}.pub`),
      hostname: await read(sandbox, guestPaths.hostname),
      address: sandbox.address,
      vmid: sandbox.vmid,
    };
  }
  type Identity = Awaited<ReturnType<typeof identityOf>>;

  async function claudeOf(sandbox: Sandbox): Promise<Terminal> {
    return eventually(
      async () => {
        const { items } = await berth.client.call(listTerminals, { params: { id: sandbox.id }, query: {} });
        return items.find(({ kind, state }) => kind === "claude" && state === "running");
      },
      { timeoutMs: 20_000, what: `Claude in ${sandbox.name}` },
    );
  }

  it("has a copy, ready, with an identity of its own, and goes on undisturbed", async () => {
    const claude = await berth.openTerminal(source.id, { kind: "claude", ...size });
    await converse(await viewers.attach(berth, claude.id, size), stub, "the first answer");

    const begun = await berth.client.call(forkSandbox, { params: { id: source.id }, body: { name: "copy" } });
    expect(begun.sandbox).toMatchObject({ name: "copy", state: "provisioning", forkedFrom: source.id });
    await berth.ended(begun.operation.id);
    copy = await berth.client.call(getSandbox, { params: { id: begun.sandbox.id } });
    expect(copy).toMatchObject({ state: "ready", agent: { connected: true }, error: null });

    const own = await identityOf(copy);
    expect(own).toMatchObject({ sandboxId: copy.id, hostname: "copy", machineId: own.machine });
    for (const [name, value] of Object.entries(before)) expect(own).not.toHaveProperty(name, value);
    expect(await identityOf(source)).toEqual(before);
    expect(await berth.client.call(getSandbox, { params: { id: source.id } })).toMatchObject({
      state: "ready",
      agent: { connected: true },
    });
    // In the copy, the source's configuration has not said a word: that would have been a second agent of the source's.
    const words = berth.process.stdout.split("\n").filter((line) => line.includes(source.id));
    expect(words.filter((line) => line.includes("agent connected"))).toHaveLength(1);
    const { items } = await berth.client.call(listSnapshots, { params: { id: source.id } });
    expect(items).toEqual([]);
  });

  it("goes on with its conversation, and so does the copy, apart", async () => {
    const [claude, copied] = [await claudeOf(source), await claudeOf(copy)];
    expect(copied.id).not.toBe(claude.id);
    expect(copied.conversationId).not.toBe(claude.conversationId);
    const there = await viewers.attach(berth, copied.id, size);
    await there.waitForText("the first answer", 20_000);
    const inCopy = await converse(there, stub, "an answer in the copy");
    const here = await viewers.attach(berth, claude.id, size);
    const inSource = await converse(here, stub, "an answer in the source");
    expect(inCopy.history).toContain("the first answer");
    expect(inSource.history).toContain("the first answer");
    expect(inSource.history).not.toContain("an answer in the copy");
    expect(inSource.sessionId).toBe(claude.conversationId);
    expect(inCopy.sessionId).toBe(copied.conversationId);
  });
});
