import { createHash, randomInt } from "node:crypto";
import { env } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import type { Sandbox } from "@berth/protocol";
import { type AttachedTerminal, attachTerminal, eventually } from "@berth/testkit";
import { Random } from "@berth/testkit/random";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, prepareBerth } from "./berth.ts";
import { FaultyRelay } from "./faulty-relay.ts";
import { numberedStream, numberedStreamOutput, pidOf, recorded, recorder } from "./sandbox-programs.ts";
import { MemoryLog } from "./soak-memory.ts";
import { type MishapScene, mishaps, socketFolder } from "./soak-mishaps.ts";

/** `npm run soak` sets these; without it a short one is part of the tests. */
const minutes = Number(env.SOAK_MINUTES ?? 0.5);
const terminals = Number(env.SOAK_TERMINALS ?? 10);
const seed = Number(env.SOAK_SEED ?? randomInt(2 ** 31));
const reconnectMs = 90_000;
/** Three lines each time. Together they write no more than two cores can carry beside all else. */
const everyMs = Math.max(15, terminals / 2);
const lines = Math.ceil(((minutes * 60_000) / everyMs) * 3);
/** What a part may grow in the second half, in bytes: heaps breathe, and in a short run scrollback still fills. */
const growthBytes = (minutes >= 2 ? 64 : 32 + 16 * terminals) * 1024 * 1024;
/** How often something is typed, in milliseconds. */
const typedEveryMs = 100;

describe("terminals under load, of which every part is killed, cut and stopped again and again", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  let scene: MishapScene;
  const relays: FaultyRelay[] = [];
  const viewers: AttachedTerminal[] = [];
  const memory = new MemoryLog();

  beforeAll(async () => {
    const [viewersNetwork, agentNetwork] = await Promise.all([FaultyRelay.start(), FaultyRelay.start()]);
    relays.push(viewersNetwork, agentNetwork);
    berth = await prepareBerth({ env: { BERTH_AGENT_URL: `https://127.0.0.1:${agentNetwork.port}` } });
    viewersNetwork.leadTo(Number(berth.env.BERTH_PORT));
    agentNetwork.leadTo(Number(berth.env.BERTH_AGENT_PORT));
    await berth.start();
    sandbox = await berth.readySandbox();
    // The PTY host is there, and its socket with it.
    const { id } = await berth.openTerminal(sandbox.id, { kind: "exec", argv: ["true"] });
    expect(id).toBeDefined();
    const hostSocket = await FaultyRelay.inPlaceOf(await socketFolder(berth, sandbox), "pty.sock");
    relays.push(hostSocket);
    scene = { berth, sandbox, random: new Random(seed), viewersNetwork, agentNetwork, hostSocket };
  });
  afterAll(async () => {
    await Promise.all(viewers.map((viewer) => viewer.close()));
    // First, since the socket that one stands for has to be there again.
    await Promise.all(relays.map((relay) => relay.stop()));
    await berth?.dispose();
  });

  async function view(argv: string[]): Promise<AttachedTerminal> {
    const { id } = await berth.openTerminal(sandbox.id, { kind: "exec", argv });
    const url = `http://127.0.0.1:${scene.viewersNetwork.port}`;
    const from = { epoch: 1, offset: 0 };
    const viewer = await attachTerminal({ url, token: berth.token, terminalId: id, reconnectMs, from });
    viewers.push(viewer);
    return viewer;
  }

  async function measure(): Promise<void> {
    await memory.sample("controller", berth.process.pid);
    for (const program of ["agent", "pty-host"] as const)
      await memory.sample(program, await pidOf(berth, sandbox, program));
  }

  /** Every mishap in turn, in an order that the seed gives, until the time is over. Answers how often each happened. */
  async function befall(untilMs: number): Promise<Map<string, number>> {
    const happened = new Map<string, number>();
    let deck: string[] = [];
    while (performance.now() < untilMs) {
      if (deck.length === 0) deck = shuffled(Object.keys(mishaps), scene.random);
      const name = deck.pop() ?? "";
      process.stderr.write(`soak: ${name}\n`);
      await mishaps[name]?.(scene);
      happened.set(name, (happened.get(name) ?? 0) + 1);
      await wait(scene.random.integer(300, 3_000));
      await measure();
    }
    return happened;
  }

  it("lose no byte either way, and cost no more memory at the end", {
    timeout: (minutes * 60 + 300) * 1000,
  }, async () => {
    process.stderr.write(`soak: SOAK_SEED=${seed} for the same order\n`);
    const host = await pidOf(berth, sandbox, "pty-host");
    const attached: AttachedTerminal[] = [];
    for (let count = 0; count < terminals; count += 1) attached.push(await view(numberedStream(lines, 3, everyMs)));
    const typedInto = await view(recorder("typed"));
    await typedInto.waitForBytes("recording");
    let typed = "";
    const typing = setInterval(() => {
      const word = `${typed.length} `;
      typed += word;
      typedInto.write(word);
    }, typedEveryMs);
    const happened = await befall(performance.now() + minutes * 60_000 - 8_000).finally(() => clearInterval(typing));
    const expected = digest(numberedStreamOutput(lines));
    for (const viewer of attached) {
      expect(await viewer.waitForExit(120_000)).toEqual({ code: 0, signal: null });
      expect(viewer.failure).toBeUndefined();
      expect(digest(viewer.bytesSince(0))).toBe(expected);
      expect(viewer.attaches.length).toBeGreaterThan(1);
    }
    await eventually(() => typedInto.input.pending === 0, { timeoutMs: 60_000, what: "the last of what was typed" });
    await eventually(async () => (await recorded(berth, sandbox, "typed")) === typed, { what: "all that was typed" });
    expect(typedInto.failure).toBeUndefined();
    process.stderr.write(`soak: ${JSON.stringify(Object.fromEntries(happened))}\n${memory.report}\n`);
    expect(await pidOf(berth, sandbox, "pty-host")).toBe(host);
    for (const part of memory.parts)
      expect(memory.growthBytes(part), `${part}\n${memory.report}`).toBeLessThan(growthBytes);
  });
});

const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** The same in another order (Fisher and Yates). */
function shuffled(names: readonly string[], random: Random): string[] {
  const left = [...names];
  return names.map(() => left.splice(random.integer(0, left.length - 1), 1).join(""));
}
