import type { AgentConfig } from "@berth/protocol";
import { ManualClock } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ControllerLink } from "../src/agent/controller-link.ts";
import { createLog } from "../src/log.ts";
import { FakeController } from "./support/controller.ts";
import { FaultyNetwork } from "./support/faulty-network.ts";
import { until } from "./support/pty-host.ts";

const machineId = "0123456789abcdef0123456789abcdef";

let clock: ManualClock;
let controller: FakeController;
let network: FaultyNetwork;
let ended: AbortController;
let link: ControllerLink;
let running: Promise<void>;
let linked: boolean[];
/** Since the link stood, or since its last ping. */
let quiet: { seconds: number; pings: number };

beforeEach(async () => {
  clock = new ManualClock();
  controller = await FakeController.start();
  network = await FaultyNetwork.start(Number(new URL(controller.url).port));
  ended = new AbortController();
  linked = [];
  quiet = { seconds: 0, pings: 0 };
  link = new ControllerLink({
    config,
    clock,
    log: createLog("test", () => {}),
    handlers: {
      listTerminals: unused,
      ensureTerminal: unused,
      removeTerminal: unused,
      input: unused,
      resize: unused,
      screen: unused,
      setEnvironment: unused,
      activity: unused,
    },
    hello: async () => ({ agentVersion: "1", bootId: "1", machineId, terminals: [] }),
    onWelcome: async () => {},
    onOpen: () => {},
    onLink: (stands) => linked.push(stands),
  });
  running = link.run(ended.signal);
});

afterEach(async () => {
  ended.abort();
  await network.stop();
  await controller.stop();
  await running;
  expect(clock.pending).toBe(0);
});

function config(): AgentConfig {
  return {
    sandboxId: "sbx_1",
    sandboxName: "one",
    machineId,
    controllerUrl: `wss://127.0.0.1:${network.port}`,
    controllerCertificate: controller.certificate,
    secret: "s".repeat(43),
    env: {},
  };
}

async function unused(): Promise<never> {
  throw new Error("not called here");
}

/** The third beat, of a second here, without a sign of life brings a ping. */
const quietSeconds = 3;

/** Lets one second pass, and what it begins on real sockets come to its end. */
async function second(): Promise<void> {
  const { turns } = link;
  await clock.advance(1000);
  quiet.seconds += 1;
  if (network.gone) await until(() => clock.pending > 0);
  else if (linked.at(-1)) {
    if (quiet.seconds < quietSeconds) return;
    await until(() => controller.pings > quiet.pings);
    quiet = { seconds: 0, pings: controller.pings };
  } else if (link.turns > turns) {
    await until(() => linked.at(-1) === true);
    quiet = { seconds: 0, pings: controller.pings };
  }
}

/** Lets so many seconds pass, or fewer until something is done; answers how many. */
async function seconds(count: number, done: () => boolean = () => false): Promise<number> {
  for (let passed = 0; passed < count; passed += 1) {
    if (done()) return passed;
    await second();
  }
  return count;
}

describe("the agent's link", () => {
  it("notices within 15 seconds that the network is gone, and is back within 5 of its return", async () => {
    await until(() => linked.length === 1);
    await seconds(20);
    expect(linked).toEqual([true]);
    network.vanish();
    expect(await seconds(30, () => linked.length === 2)).toBeLessThanOrEqual(15);
    await seconds(60);
    expect(linked).toEqual([true, false]);
    network.comeBack();
    expect(await seconds(30, () => linked.length === 3)).toBeLessThanOrEqual(5);
    expect(linked).toEqual([true, false, true]);
  });

  it("dials an absent controller with growing waits, every few seconds in the end, and goes on turning", async () => {
    await until(() => linked.length === 1);
    network.vanish();
    await seconds(20, () => linked.length === 2);
    const [attempts, turns] = [network.attempts, link.turns];
    await seconds(60);
    expect(network.attempts - attempts).toBeGreaterThan(60 / 4);
    expect(network.attempts - attempts).toBeLessThan(60 / 1.5 + 6);
    expect(link.turns).toBeGreaterThan(turns);
  });
});
