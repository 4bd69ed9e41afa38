import { setTimeout as wait } from "node:timers/promises";
import { getSandbox, getTerminal, type Sandbox } from "@berth/protocol";
import { type AttachedTerminal, eventually, freePorts } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { ContainerMishaps } from "./container-mishaps.ts";
import { freezeFor } from "./real-sandbox.ts";
import { numberedStream, numberedStreamOutput, ViewerSet } from "./sandbox-programs.ts";

/** How soon everything is as before, once what went wrong is over. */
const backMs = 20_000;
/** How soon Berth notices that a link has died without a word. */
const noticedMs = 40_000;

describe("a sandbox that is cut off", { timeout: 300_000 }, () => {
  let berth: Berth;
  let mishaps: ContainerMishaps;
  let sandbox: Sandbox;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    berth = await startBerth();
    mishaps = new ContainerMishaps(berth);
    sandbox = await berth.readySandbox({ name: "castaway" });
  });
  afterEach(() => viewers.closeAll());
  afterAll(() => berth?.dispose());

  const now = () => berth.client.call(getSandbox, { params: { id: sandbox.id } });
  const away = () =>
    eventually(async () => !(await now()).agent.connected, { timeoutMs: noticedMs, what: "the loss of the agent" });
  const back = async () => {
    await eventually(async () => (await now()).agent.connected, { timeoutMs: backMs, what: "the agent's return" });
    await eventually(async () => (await now()).state === "ready", { timeoutMs: backMs, what: "readiness" });
  };
  /** A program that writes a line every 50 ms for so long, and somebody who watches from the first byte. */
  const watched = async (seconds: number): Promise<{ viewer: AttachedTerminal; lines: number; id: string }> => {
    const lines = seconds * 20;
    const { id } = await berth.openTerminal(sandbox.id, { kind: "exec", argv: numberedStream(lines, 1, 50) });
    const from = { epoch: 1, offset: 0 };
    const viewer = await viewers.attach(berth, id, { reconnectMs: 180_000, from });
    await viewer.waitForBytes("\r\n20 ");
    return { viewer, lines, id };
  };
  const expectEveryByte = async ({ viewer, lines, id }: Awaited<ReturnType<typeof watched>>) => {
    expect(await viewer.waitForExit(120_000)).toEqual({ code: 0, signal: null });
    expect(viewer.bytesSince(0).equals(numberedStreamOutput(lines))).toBe(true);
    expect(viewer.snapshots).toEqual([]);
    expect(viewer.failure).toBeUndefined();
    expect((await berth.client.call(getTerminal, { params: { id } })).epoch).toBe(1);
  };

  it("keeps its link over a few seconds without a network", async () => {
    const stream = await watched(8);
    await mishaps.cut(sandbox);
    await wait(3_000);
    await mishaps.mend();
    await expectEveryByte(stream);
    expect(stream.viewer.attaches).toHaveLength(1);
    expect((await now()).state).toBe("ready");
  });

  it("is back by itself after a minute without a network, and no byte of its terminals is lost", async () => {
    const stream = await watched(80);
    await mishaps.cut(sandbox);
    const cutAt = Date.now();
    try {
      await away();
      await wait(Math.max(0, cutAt + 60_000 - Date.now()));
      expect(await now()).toMatchObject({ state: "starting", agent: { connected: false } });
    } finally {
      await mishaps.mend();
    }
    await back();
    await expectEveryByte(stream);
    expect(stream.viewer.attaches.length).toBeGreaterThan(1);
  });

  it("is back by itself after it was frozen for a minute", async () => {
    const stream = await watched(10);
    const frozen = freezeFor(berth, sandbox, 60_000);
    await away();
    await frozen;
    await back();
    await expectEveryByte(stream);
  });

  it("is back by itself after a reboot from inside", async () => {
    const shell = await berth.openTerminal(sandbox.id, { kind: "shell" });
    await mishaps.inside(sandbox, "systemctl", "reboot").catch(() => {});
    await away();
    await back();
    await eventually(
      async () => (await berth.client.call(getTerminal, { params: { id: shell.id } })).state === "exited",
      { timeoutMs: backMs, what: "the end of a shell that the reboot ended" },
    );
    const stream = await watched(2);
    await expectEveryByte(stream);
  });

  it("is reached at the new address that DHCP gives it, in the middle of its work", async () => {
    const stream = await watched(30);
    const address = await mishaps.reassign(sandbox);
    expect(address).not.toBe(sandbox.address);
    await mishaps.inside(sandbox, "networkctl", "reconfigure", "eth0");
    await eventually(async () => (await now()).address === address, { timeoutMs: 60_000, what: "the new address" });
    await back();
    await expectEveryByte(stream);
    sandbox = await now();
  });

  it("is told of the controller's new address, and its programs notice nothing", async () => {
    const stream = await watched(5);
    await berth.crash();
    const [port] = await freePorts(1);
    berth.env.BERTH_AGENT_PORT = String(port);
    await berth.start();
    expect((await now()).agent.connected).toBe(false);
    await eventually(async () => (await now()).agent.connected, { timeoutMs: 90_000, what: "the agent's return" });
    await back();
    await expectEveryByte(stream);
  });
});
