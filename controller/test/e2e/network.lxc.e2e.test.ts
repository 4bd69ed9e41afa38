import { setTimeout as wait } from "node:timers/promises";
import { getSandbox, getTerminal, type Sandbox } from "@berth/protocol";
import { type AttachedTerminal, eventually, freePorts } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { ContainerMishaps } from "./container-mishaps.ts";
import { freezeFor } from "./real-sandbox.ts";
import { numberedStream, numberedStreamOutput, ViewerSet } from "./sandbox-programs.ts";

/** How soon everything is as before, once what went wrong is over. */
const backMs = 20_000;
/** How soon Berth notices that a link has died without a word. */
const noticedMs = 40_000;

/** What somebody sees of a sandbox to which something happens. */
class Castaway {
  readonly #berth: Berth;
  readonly #viewers: ViewerSet;
  /** As it was made. */
  readonly sandbox: Sandbox;

  constructor(berth: Berth, viewers: ViewerSet, sandbox: Sandbox) {
    this.#berth = berth;
    this.#viewers = viewers;
    this.sandbox = sandbox;
  }

  now(): Promise<Sandbox> {
    return this.#berth.client.call(getSandbox, { params: { id: this.sandbox.id } });
  }

  async away(): Promise<void> {
    const gone = async () => !(await this.now()).agent.connected;
    await eventually(gone, { timeoutMs: noticedMs, what: "the loss of the agent" });
  }

  async back(timeoutMs = backMs): Promise<void> {
    await eventually(async () => (await this.now()).agent.connected, { timeoutMs, what: "the agent's return" });
    await eventually(async () => (await this.now()).state === "ready", { timeoutMs: backMs, what: "readiness" });
  }

  /** A program that writes a line every 50 ms for so long, and somebody who watches from the first byte. */
  async watched(seconds: number): Promise<Stream> {
    const lines = seconds * 20;
    const argv = numberedStream(lines, 1, 50);
    const { id } = await this.#berth.openTerminal(this.sandbox.id, { kind: "exec", argv });
    const from = { epoch: 1, offset: 0 };
    const viewer = await this.#viewers.attach(this.#berth, id, { reconnectMs: 180_000, from });
    await viewer.waitForBytes("\r\n20 ");
    return { viewer, lines, id };
  }

  async expectEveryByte({ viewer, lines, id }: Stream): Promise<void> {
    expect(await viewer.waitForExit(120_000)).toEqual({ code: 0, signal: null });
    expect(viewer.bytesSince(0).equals(numberedStreamOutput(lines))).toBe(true);
    expect(viewer.snapshots).toEqual([]);
    expect(viewer.failure).toBeUndefined();
    expect((await this.#berth.client.call(getTerminal, { params: { id } })).epoch).toBe(1);
  }
}

interface Stream {
  readonly viewer: AttachedTerminal;
  readonly lines: number;
  readonly id: string;
}

describe("a sandbox that is cut off", { timeout: 300_000 }, () => {
  let berth: Berth;
  let mishaps: ContainerMishaps;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    berth = await startBerth();
    mishaps = new ContainerMishaps(berth);
  });
  afterAll(async () => {
    await viewers.closeAll();
    await berth?.dispose();
  });

  const castaway = async (name: string) => new Castaway(berth, viewers, await berth.readySandbox({ name }));

  // Mostly they wait, each for its own sandbox.
  describe.concurrent("from the network, or from time", () => {
    it("keeps its link over a few seconds without a network", async () => {
      const one = await castaway("briefly");
      const stream = await one.watched(8);
      await mishaps.cut(one.sandbox);
      await wait(3_000);
      await mishaps.mend(one.sandbox);
      await one.expectEveryByte(stream);
      expect(stream.viewer.attaches).toHaveLength(1);
      expect((await one.now()).state).toBe("ready");
    });

    it("is back by itself after a minute without a network, and no byte of its terminals is lost", async () => {
      const one = await castaway("a-minute");
      const stream = await one.watched(80);
      await mishaps.cut(one.sandbox);
      const cutAt = Date.now();
      try {
        await one.away();
        await wait(Math.max(0, cutAt + 60_000 - Date.now()));
        expect(await one.now()).toMatchObject({ state: "starting", agent: { connected: false } });
      } finally {
        await mishaps.mend(one.sandbox);
      }
      await one.back();
      await one.expectEveryByte(stream);
      expect(stream.viewer.attaches.length).toBeGreaterThan(1);
    });

    it("is back by itself after it was frozen for a minute", async () => {
      const one = await castaway("frozen");
      const stream = await one.watched(10);
      const frozen = freezeFor(berth, one.sandbox, 60_000);
      await one.away();
      await frozen;
      await one.back();
      await one.expectEveryByte(stream);
    });

    it("is back by itself after a reboot from inside", async () => {
      const one = await castaway("rebooted");
      const shell = await berth.openTerminal(one.sandbox.id, { kind: "shell" });
      const state = async () => (await berth.client.call(getTerminal, { params: { id: shell.id } })).state;
      // One that is still being made is made after the reboot.
      await eventually(async () => (await state()) === "running", { timeoutMs: backMs, what: "the shell" });
      await mishaps.inside(one.sandbox, "systemctl", "reboot").catch(() => {});
      await one.away();
      await one.back();
      await eventually(async () => (await state()) === "exited", {
        timeoutMs: backMs,
        what: "the end of a shell that the reboot ended",
      });
      await one.expectEveryByte(await one.watched(2));
    });

    it("is reached at the new address that DHCP gives it, in the middle of its work", async () => {
      const one = await castaway("moved");
      const stream = await one.watched(30);
      const address = await mishaps.reassign(one.sandbox);
      expect(address).not.toBe(one.sandbox.address);
      await mishaps.inside(one.sandbox, "networkctl", "reconfigure", "eth0");
      const moved = async () => (await one.now()).address === address;
      await eventually(moved, { timeoutMs: 60_000, what: "the new address" });
      await one.back();
      await one.expectEveryByte(stream);
    });
  });

  it("is told of the controller's new address, and its programs notice nothing", async () => {
    const one = await castaway("faithful");
    const stream = await one.watched(5);
    await berth.crash();
    const [port] = await freePorts(1);
    berth.env.BERTH_AGENT_PORT = String(port);
    await berth.start();
    expect((await one.now()).agent.connected).toBe(false);
    await one.back(90_000);
    await one.expectEveryByte(stream);
  });
});
