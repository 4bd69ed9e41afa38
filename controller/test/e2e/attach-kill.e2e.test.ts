import { createTerminal, getTerminal, type Sandbox } from "@berth/protocol";
import {
  type AttachedTerminal,
  eventually,
  type MessagesStub,
  scriptedResponder,
  startMessagesStub,
} from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import {
  killProgram,
  numberedStream,
  numberedStreamOutput,
  recorded,
  recorder,
  storedOutput,
  ViewerSet,
} from "./sandbox-programs.ts";

const reconnectMs = 30_000;
const fromTheStart = { from: { epoch: 1, offset: 0 } };

describe("a terminal between whose program and viewer everything is killed", () => {
  let stub: MessagesStub;
  let berth: Berth;
  let sandbox: Sandbox;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    stub = await startMessagesStub({ responder: scriptedResponder({ lineDelayMs: 20 }) });
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "", ...env } = stub.environment;
    berth = await startBerth({ env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN } });
    sandbox = await berth.readySandbox({ env });
  });
  afterEach(() => viewers.closeAll());
  afterAll(async () => {
    await berth.dispose();
    await stub.dispose();
  });

  const victims: Record<string, () => Promise<void>> = {
    "the controller": () => berth.crash(),
    "the agent": () => killProgram(berth, sandbox, "agent"),
    both: async () => {
      await Promise.all([killProgram(berth, sandbox, "agent"), berth.crash()]);
    },
  };
  const revive = async () => {
    if (!berth.process.running) await berth.start();
  };

  /** The viewer has seen each byte of the only epoch once, from the first to the last, over several connections. */
  async function expectEveryByte(viewer: AttachedTerminal, terminalId: string): Promise<void> {
    const all = await eventually(
      async () => {
        const stored = await storedOutput(berth, sandbox, terminalId, 1);
        return stored.end === viewer.offset ? stored : undefined;
      },
      { what: "the same end on disk and at the viewer" },
    );
    expect(viewer.runs.map(({ epoch, start }) => ({ epoch, start }))).toEqual([{ epoch: 1, start: 0 }]);
    expect(all.start).toBe(0);
    expect(viewer.runs[0]?.bytes.equals(all.bytes)).toBe(true);
    expect(viewer.failure).toBeUndefined();
    expect(viewer.snapshots).toEqual([]);
    expect(viewer.attaches.length).toBeGreaterThan(1);
    expect(viewer.attaches.map(({ mode }) => mode)).not.toContain("snapshot");
  }

  describe.each(Object.keys(victims))("%s", (name) => {
    const kill = async () => victims[name]?.();

    it("shows every byte of a stream once", async () => {
      const lines = 4000;
      const { id } = await berth.openTerminal(sandbox.id, { kind: "exec", argv: numberedStream(lines) });
      const viewer = await viewers.attach(berth, id, { reconnectMs, ...fromTheStart });
      await viewer.waitForBytes("\r\n300 ");
      await kill();
      const killedAt = viewer.offset;
      await revive();
      expect(await viewer.waitForExit(30_000)).toEqual({ code: 0, signal: null });
      expect(killedAt).toBeLessThan(viewer.offset);
      expect(viewer.bytesSince(0).equals(numberedStreamOutput(lines))).toBe(true);
      await expectEveryByte(viewer, id);
      expect(viewer.closes.at(-1)?.code).toBe(1000);
    });

    it("shows Claude's whole answer, and Claude itself notices nothing", async () => {
      const { id } = await berth.openTerminal(sandbox.id, { kind: "claude", cols: 100, rows: 30 });
      const viewer = await viewers.attach(berth, id, { reconnectMs, cols: 100, rows: 30, ...fromTheStart });
      await viewer.waitForText(/^\s*❯/m, 20_000);
      const asked = stub.requests.length;
      viewer.write("stream 200");
      await viewer.waitForText("stream 200");
      viewer.write("\r");
      await viewer.waitForText("line 20", 20_000);
      await kill();
      await revive();
      await viewer.waitForText("line 200", 30_000);
      await eventually(async () => (await berth.client.call(getTerminal, { params: { id } })).state === "running");
      await expectEveryByte(viewer, id);
      const prompts = stub.requests.slice(asked).filter(({ prompt }) => prompt.includes("stream 200"));
      expect(prompts.filter(({ tools }) => tools.length > 0)).toHaveLength(1);
    });

    it("takes what is typed meanwhile once and in order", async () => {
      const file = `typed-${name.replaceAll(" ", "-")}`;
      const { id } = await berth.openTerminal(sandbox.id, { kind: "exec", argv: recorder(file) });
      const viewer = await viewers.attach(berth, id, { reconnectMs, ...fromTheStart });
      await viewer.waitForText("recording");
      let typed = "";
      const timer = setInterval(() => {
        const key = `${(typed.length / 5).toString().padStart(4, "0")}.`;
        typed += key;
        viewer.write(key);
      }, 2);
      const keysTyped = (count: number) => eventually(() => typed.length >= 5 * count, { timeoutMs: 20_000 });
      try {
        await keysTyped(200);
        await kill();
        await keysTyped(typed.length / 5 + 100);
        await revive();
        await eventually(() => viewer.attaches.length > 1, { timeoutMs: 30_000 });
        await keysTyped(typed.length / 5 + 100);
      } finally {
        clearInterval(timer);
      }
      await eventually(() => viewer.input.pending === 0, { timeoutMs: 20_000, what: "all input acknowledged" });
      await eventually(async () => (await recorded(berth, sandbox, file)).length >= typed.length);
      expect(await recorded(berth, sandbox, file)).toBe(typed);
      expect(viewer.failure).toBeUndefined();
    });
  });

  it("is the same program after kill upon kill", async () => {
    const lines = 6000;
    const argv = numberedStream(lines, 3, 5);
    const { id } = await berth.client.call(createTerminal, {
      params: { id: sandbox.id },
      body: { kind: "exec", argv },
    });
    const viewer = await viewers.attach(berth, id, { reconnectMs, ...fromTheStart });
    for (const mark of [300, 1300]) {
      await viewer.waitForBytes(`\r\n${mark} `, 30_000);
      await killProgram(berth, sandbox, "agent");
    }
    await viewer.waitForExit(30_000);
    expect(viewer.bytesSince(0).equals(numberedStreamOutput(lines))).toBe(true);
    await expectEveryByte(viewer, id);
  });
});
