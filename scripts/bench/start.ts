import { request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { Berth } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { median } from "./statistics.ts";
import { ownBerth, startScript } from "./whole-berth.ts";

const goalMs = 3_000;
const pollMs = 5;
const timeoutMs = 120_000;

/** A second start, when everything has been made: from the spawn until `/readyz` answers 200. */
export const start: Benchmark = {
  name: "start",
  about: "the second start, from the command to /readyz: the controller alone, and by ./scripts/start",
  defaultRuns: 3,
  async run(context) {
    const controller = await secondStarts(context, await ownBerth(context));
    const script = await secondStarts(context, await ownBerth(context, { command: [startScript] }));
    return [measurement("controller", controller), measurement("./scripts/start", script)];
  },
};

async function secondStarts({ runs, note, signal }: BenchContext, berth: Berth): Promise<number[]> {
  note(`the first start took ${Math.round(await timedStart(berth, signal))} ms`);
  await berth.stop();
  const times: number[] = [];
  while (times.length < runs) {
    const ms = await timedStart(berth, signal);
    const { stderr } = berth.process;
    await berth.stop();
    // Sources that change while this measures are built anew, which is no start as it is meant here.
    if (/^berth: (building|installing)/m.test(stderr)) note("a start that had to build is left out");
    else times.push(ms);
  }
  return times;
}

/** Milliseconds from the spawn until the controller says that it can do its work. */
async function timedStart(berth: Berth, signal: AbortSignal): Promise<number> {
  const begun = performance.now();
  const started = berth.start();
  started.catch(() => {});
  while (!(await isReady(berth.url))) {
    signal.throwIfAborted();
    if (!berth.process.running || performance.now() - begun > timeoutMs) await started;
    await wait(pollMs);
  }
  const ms = performance.now() - begun;
  await started;
  return ms;
}

function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(`${url}/readyz`, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.on("error", () => resolve(false));
    call.end();
  });
}

function measurement(name: string, times: readonly number[]): Measurement {
  return {
    name,
    unit: "ms",
    value: median(times),
    goal: { kind: "value", atMost: goalMs },
    details: { runs: times },
  };
}
