import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deleteTerminal, getSandbox, getTerminal, guestPaths, type Sandbox } from "@berth/protocol";
import { eventually, type MessagesStub, startMessagesStub } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { killProgram, numberedStream, numberedStreamOutput, pidOf, ViewerSet } from "./sandbox-programs.ts";

const size = { cols: 100, rows: 30 };
const formerVersion = "0.0.1+former";
/** Half a minute of output, in which all of the update happens. */
const lines = 12_000;

describe("agents of an earlier version, when a controller of a later one starts", () => {
  let stub: MessagesStub;
  let berth: Berth;
  let sandbox: Sandbox;
  let version: string;
  const viewers = new ViewerSet();

  const agentOf = async () => (await berth.client.call(getSandbox, { params: { id: sandbox.id } })).agent;
  const agentVersion = (wanted: string) =>
    eventually(
      async () => {
        const agent = await agentOf();
        return agent.connected && agent.version === wanted;
      },
      { timeoutMs: 60_000, intervalMs: 50, what: `an agent of version ${wanted}` },
    );

  beforeAll(async () => {
    stub = await startMessagesStub();
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "", ...env } = stub.environment;
    berth = await startBerth({ env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, BERTH_AGENT_UPDATES: "off" } });
    sandbox = await berth.readySandbox({ env });
    // What was built earlier is the same but for its version.
    const file = join(await berth.rootOf(sandbox), guestPaths.programs, "version");
    version = (await readFile(file, "utf8")).trim();
    await writeFile(file, `${formerVersion}\n`);
    await killProgram(berth, sandbox, "agent");
    if (berth.backend === "process") await killProgram(berth, sandbox, "pty-host");
    await agentVersion(formerVersion);
  });
  afterEach(() => viewers.closeAll());
  afterAll(async () => {
    await berth.dispose();
    await stub.dispose();
  });

  it("are updated with their PTY hosts, and no terminal loses a byte", async () => {
    const claude = await berth.openTerminal(sandbox.id, { kind: "claude", ...size });
    const stream = await berth.openTerminal(sandbox.id, { kind: "exec", argv: numberedStream(lines, 5, 12), ...size });
    const before = { version, pid: await pidOf(berth, sandbox, "pty-host") };
    const viewer = await viewers.attach(berth, claude.id, { ...size, reconnectMs: 60_000 });
    const watcher = await viewers.attach(berth, stream.id, {
      ...size,
      from: { epoch: 1, offset: 0 },
      reconnectMs: 60_000,
    });
    await viewer.waitForText(/^\s*❯/m, 30_000);
    viewer.write("say what was before");
    await viewer.waitForText("say what was before");
    viewer.write("\r");
    await viewer.waitForText(/●\s+what was before/, 20_000);

    await berth.crash();
    berth.env.BERTH_AGENT_UPDATES = "auto";
    await berth.start();
    await agentVersion(version);
    const proven = async () => {
      const state = join(await berth.rootOf(sandbox), guestPaths.updates, "current.json");
      return (await readFile(state, "utf8")) === JSON.stringify({ proven: version });
    };
    await eventually(proven, { timeoutMs: 60_000, what: "the proof of the update" });

    expect(await watcher.waitForExit(90_000)).toEqual({ code: 0, signal: null });
    const output = Buffer.concat(watcher.runs.map(({ bytes }) => bytes));
    expect(output.equals(numberedStreamOutput(lines))).toBe(true);
    viewer.write("say what is after");
    await viewer.waitForText("say what is after", 20_000);
    viewer.write("\r");
    await viewer.waitForText(/●\s+what is after/, 20_000);
    expect(await berth.client.call(getTerminal, { params: { id: claude.id } })).toMatchObject({
      state: "running",
      epoch: 1,
    });
    expect(await pidOf(berth, sandbox, "pty-host")).toBe(before.pid);
    for (const { id } of [claude, stream]) await berth.client.call(deleteTerminal, { params: { id } });
  }, 240_000);
});
