import { ManualClock } from "@berth/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { watchPtyHost } from "../src/agent/pty-host-watch.ts";
import { createLog } from "../src/log.ts";

let clock: ManualClock;
let ended: AbortController;
let answers: boolean;
let runs: boolean;
let asked: number;
let kills: number;
let logged: string[];
let watching: Promise<void>;

beforeEach(() => {
  clock = new ManualClock();
  ended = new AbortController();
  [answers, runs, asked, kills, logged] = [true, true, 0, 0, []];
  const ask = async () => {
    asked += 1;
    if (!answers) throw new Error("timeout");
  };
  const kill = async () => {
    if (runs) kills += 1;
    return runs;
  };
  const log = createLog("test", (line) => logged.push(line));
  watching = watchPtyHost({ ask, kill, clock, log }, ended.signal);
});

async function looks(count: number): Promise<void> {
  for (let look = 0; look < count; look += 1) await clock.advance(10_000);
}

async function stop(): Promise<void> {
  ended.abort();
  await watching;
  expect(clock.pending).toBe(0);
}

describe("the agent's watch over the PTY host", () => {
  it("kills a host that answers none of twelve looks in a row, and gives the next one as long", async () => {
    answers = false;
    await looks(11);
    expect(kills).toBe(0);
    await looks(1);
    expect(kills).toBe(1);
    expect(logged.join()).toContain("was killed");
    await looks(11);
    expect(kills).toBe(1);
    await stop();
  });

  it("forgives every silence that ends", async () => {
    for (let round = 0; round < 3; round += 1) {
      answers = false;
      await looks(11);
      answers = true;
      await looks(1);
    }
    expect(asked).toBe(36);
    expect(kills).toBe(0);
    await stop();
  });

  it("leaves a host that is not there to its supervisor", async () => {
    answers = false;
    runs = false;
    await looks(30);
    expect(kills).toBe(0);
    expect(logged).toEqual([]);
    await stop();
  });
});
