import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  deleteTerminal,
  getOperation,
  getSandbox,
  getTerminal,
  type Operation,
  type Sandbox,
  type SandboxState,
  sleepSandbox,
  type Terminal,
  terminalInput,
  terminalScreen,
  updateSandbox,
  wakeSandbox,
} from "@berth/protocol";
import { eventually, type MessagesStub, startMessagesStub } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

/** The fleet's time without use. */
const sleepAfterMs = 2_000;

/** Claude asks before it touches files, and runs anything else. */
const permissions = { permissions: { allow: ["Bash(sleep:*)"], ask: ["Bash(touch:*)"] } };

describe("a sandbox that sleeps when nobody uses it", () => {
  let stub: MessagesStub;
  let berth: Berth;
  let busy: Sandbox;

  beforeAll(async () => {
    stub = await startMessagesStub();
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "", ...env } = stub.environment;
    const sleep = { BERTH_SLEEP_AFTER: `${sleepAfterMs / 1_000}s` };
    berth = await startBerth({ env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, ...sleep } });
    busy = await berth.readySandbox({ name: "busy", env, sleepAfterMinutes: "off" });
  });
  afterAll(async () => {
    await berth?.dispose();
    await stub?.dispose();
  });

  const seen = (id: string) => berth.client.call(getSandbox, { params: { id } });
  const inState = (id: string, state: SandboxState) =>
    eventually(async () => ((await seen(id)).state === state ? true : undefined), {
      timeoutMs: 30_000,
      what: `${id} ${state}`,
    });
  const ended = (operation: Operation) =>
    eventually(async () => {
      const now = await berth.client.call(getOperation, { params: { id: operation.id } });
      return now.finishedAt === null ? undefined : now;
    });
  const screen = (terminal: Terminal) => berth.client.call(terminalScreen, { params: { id: terminal.id } });
  const attention = (terminal: Terminal, wanted: Terminal["attention"]) =>
    eventually(
      async () => {
        const now = await berth.client.call(getTerminal, { params: { id: terminal.id } });
        return now.attention === wanted ? true : undefined;
      },
      { timeoutMs: 20_000, what: `Claude ${wanted}` },
    );
  const tell = (terminal: Terminal, text: string) =>
    berth.client.call(terminalInput, { params: { id: terminal.id }, query: {}, body: { text, submit: true } });
  /** For as long as would put any sandbox to sleep that is idle. */
  const staysReady = async (id: string, ms = sleepAfterMs * 2) => {
    const until = Date.now() + ms;
    while (Date.now() < until) {
      expect(await seen(id)).toMatchObject({ state: "ready", operationId: null });
      await pause(250);
    }
  };

  it("is one where Claude neither works, nor waits for a permission, nor runs anything in the background", async () => {
    const settings = join(await berth.rootOf(busy), "workspace", ".claude");
    await mkdir(settings, { recursive: true });
    await writeFile(join(settings, "settings.json"), JSON.stringify(permissions));
    const works = await berth.openTerminal(busy.id, { kind: "claude", cols: 100, rows: 30 });
    await eventually(async () => /^\s*❯/m.test((await screen(works)).text) || undefined, { timeoutMs: 20_000 });
    await berth.client.call(updateSandbox, { params: { id: busy.id }, body: { sleepAfterMinutes: null } });
    await tell(works, `run sleep ${(sleepAfterMs * 5) / 1_000}`);
    await attention(works, "working");
    await staysReady(busy.id);
    expect((await seen(busy.id)).idle.uses).toContainEqual({ kind: "claude" });
    const refused = await berth.client.call(sleepSandbox, { params: { id: busy.id } });
    expect(await ended(refused.operation)).toMatchObject({ state: "failed", error: { code: "in_use" } });
    await attention(works, "idle");

    await tell(works, "run touch here");
    await attention(works, "waiting");
    expect(await seen(busy.id)).toMatchObject({ attention: "waiting" });
    await staysReady(busy.id);
    // No hook tells of Esc.
    await berth.client.call(terminalInput, { params: { id: works.id }, query: {}, body: { keys: ["Escape"] } });
    await attention(works, "idle");
    await inState(busy.id, "asleep");
    await berth.client.call(deleteTerminal, { params: { id: works.id } });
  });

  it("is one where no program has a terminal", async () => {
    const argv = ["sh", "-c", "sleep 600"];
    await berth.client.call(wakeSandbox, { params: { id: busy.id } });
    await inState(busy.id, "ready");
    const program = await berth.openTerminal(busy.id, { kind: "exec", argv });
    await staysReady(busy.id);
    expect((await seen(busy.id)).idle.uses).toContainEqual({ kind: "program", detail: "sleep" });
    await berth.client.call(deleteTerminal, { params: { id: program.id } });
  });
});
