import {
  deleteTerminal,
  getSandbox,
  getTerminal,
  restartSandbox,
  type Sandbox,
  startSandbox,
  stopSandbox,
  type Terminal,
  terminalScreen,
} from "@berth/protocol";
import { type AttachedTerminal, eventually, type MessagesStub, startMessagesStub } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { killProgram, storedOutput, ViewerSet } from "./sandbox-programs.ts";

const size = { cols: 100, rows: 30 };

describe("terminals whose PTYs are gone", () => {
  let stub: MessagesStub;
  let berth: Berth;
  let sandbox: Sandbox;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    stub = await startMessagesStub();
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "", ...env } = stub.environment;
    berth = await startBerth({ env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN } });
    sandbox = await berth.readySandbox({ env });
  });
  afterEach(() => viewers.closeAll());
  afterAll(async () => {
    await berth.dispose();
    await stub.dispose();
  });

  const seen = (id: string) => berth.client.call(getTerminal, { params: { id } });
  const inState = (id: string, state: Terminal["state"], epoch: number) =>
    eventually(
      async () => {
        const terminal = await seen(id);
        if (terminal.state !== state || terminal.epoch !== epoch) throw new Error(JSON.stringify(terminal));
        return terminal;
      },
      { timeoutMs: 20_000, what: `${state} in epoch ${epoch}` },
    );
  const ready = () =>
    eventually(async () => (await berth.client.call(getSandbox, { params: { id: sandbox.id } })).agent.connected, {
      timeoutMs: 20_000,
      what: "the return of the agent",
    });
  const power = async (route: typeof startSandbox | typeof stopSandbox | typeof restartSandbox) => {
    const { operation } = await berth.client.call(route, { params: { id: sandbox.id } });
    await berth.ended(operation.id);
  };

  async function ask(viewer: AttachedTerminal, text: string): Promise<void> {
    await viewer.waitForText(/^\s*❯/m, 20_000);
    viewer.write(text);
    await viewer.waitForText(text);
    viewer.write("\r");
  }

  const losses: Record<string, () => Promise<void>> = {
    "a restart of the container": () => power(restartSandbox),
    "a stop and a start of the container": async () => {
      await power(stopSandbox);
      await power(startSandbox);
    },
    "a stop and a start of everything": async () => {
      expect(await berth.stop()).toBe(0);
      await berth.start();
    },
    "a kill of the PTY host": () => killProgram(berth, sandbox, "pty-host"),
    "a kill of the PTY host and the agent": async () => {
      await Promise.all([killProgram(berth, sandbox, "pty-host"), killProgram(berth, sandbox, "agent")]);
    },
  };

  it.each(Object.keys(losses))(
    "go on with the conversation, and show the last screen of a shell, after %s",
    async (name) => {
      const claude = await berth.openTerminal(sandbox.id, { kind: "claude", ...size });
      const shell = await berth.openTerminal(sandbox.id, { kind: "shell", ...size });
      const viewer = await viewers.attach(berth, claude.id, { ...size, reconnectMs: 60_000 });
      const shellViewer = await viewers.attach(berth, shell.id, { ...size, reconnectMs: 60_000 });
      await ask(viewer, "say the first answer");
      await viewer.waitForText(/●\s+the first answer/);
      shellViewer.write("echo last of the $((40 + 2))\r");
      await shellViewer.waitForText("last of the 42");
      // It is on the sandbox's disk within a second; the other half is for this machine.
      const onDisk = async () => (await storedOutput(berth, sandbox, shell.id, 1)).end === shellViewer.offset;
      await eventually(onDisk, { timeoutMs: 1500, what: "the shell's output on disk" });

      await losses[name]?.();
      await ready();

      await inState(claude.id, "running", 2);
      expect((await inState(shell.id, "exited", 1)).exit).toEqual({ code: null, signal: null });
      const { text } = await berth.client.call(terminalScreen, { params: { id: shell.id } });
      expect(text).toContain("last of the 42");
      expect(await shellViewer.waitForExit(20_000)).toEqual({ code: null, signal: null });

      const next = await viewers.attach(berth, claude.id, { ...size, from: { epoch: 1, offset: 10 } });
      expect(next.attaches[0]).toMatchObject({ epoch: 2, mode: "snapshot" });
      await next.waitForText("the first answer", 20_000);
      await ask(next, "say the second answer");
      await next.waitForText(/●\s+the second answer/, 20_000);
      const request = stub.requests.findLast(
        ({ prompt, tools }) => prompt.includes("second answer") && tools.length > 0,
      );
      expect(request?.sessionId).toBe(claude.conversationId);
      expect(JSON.stringify(request?.body)).toContain("the first answer");
      for (const { id } of [claude, shell]) await berth.client.call(deleteTerminal, { params: { id } });
    },
  );

  it("begin the conversation again when nothing was ever said in it", async () => {
    const claude = await berth.openTerminal(sandbox.id, { kind: "claude", ...size });
    const viewer = await viewers.attach(berth, claude.id, { ...size, reconnectMs: 60_000 });
    await viewer.waitForText(/^\s*❯/m, 20_000);
    await killProgram(berth, sandbox, "pty-host");
    await inState(claude.id, "running", 2);
    const next = await viewers.attach(berth, claude.id, size);
    // The prompt above that line is the old one's.
    await next.waitForText(/^\s*❯(?![\s\S]*started anew)/m, 20_000);
    await ask(next, "say hello");
    await next.waitForText(/●\s+hello/, 20_000);
    expect(stub.requests.findLast(({ tools }) => tools.length > 0)?.sessionId).toBe(claude.conversationId);
  });

  it("are not resumed when Claude had ended by itself", async () => {
    const claude = await berth.openTerminal(sandbox.id, { kind: "claude", ...size });
    const viewer = await viewers.attach(berth, claude.id, size);
    await ask(viewer, "/exit");
    await viewer.waitForExit(20_000);
    await killProgram(berth, sandbox, "pty-host");
    await ready();
    await eventually(async () => (await seen(claude.id)).state === "exited");
    const late = await viewers.attach(berth, claude.id, { reconnectMs: 20_000 });
    expect((await late.waitForExit()).code).toBe(0);
    expect((await seen(claude.id)).epoch).toBe(1);
  });
});
