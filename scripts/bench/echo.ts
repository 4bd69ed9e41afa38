import type { Benchmark, Measurement } from "./benchmark.ts";
import { EchoClient } from "./echo-client.ts";
import { startBareRelay } from "./floor/bare-relay.ts";
import { median, medianRatio, percentile } from "./statistics.ts";
import { openAddress } from "./terminals/address.ts";
import { BerthSide } from "./terminals/berth-side.ts";
import { echoing } from "./terminals/programs.ts";

const goalRatios = { p50: 1.1, p99: 1.25 } as const;
/**
 * Keys of one run on either side, after as many that warm both up. The slowest hundredth has to be of more than a few,
 * since those are the machine's own business.
 */
const keysPerRun = 2_000;
/** Keys before it is the other side's turn, so that what slows the machine down slows both. */
const keysPerTurn = 40;

/** One key, from the client to the PTY and back. */
export const echo: Benchmark = {
  name: "echo",
  about: "one key to the PTY and back, through all of Berth and through a bare relay with the same hops",
  defaultRuns: 5,
  async run(context) {
    const berth = await BerthSide.start(context);
    const relay = await startBareRelay(context, berth.certificate, [echoing]);
    const floor = await EchoClient.open(openAddress(relay.urls[0]));
    context.scope.add(() => floor.close());
    const whole = await EchoClient.open(berth.viewer(await berth.terminal(echoing)));
    context.scope.add(() => whole.close());
    await inTurns(whole, floor, context.signal);
    const runs: Run[] = [];
    for (let run = 0; run < context.runs; run += 1) {
      runs.push(await inTurns(whole, floor, context.signal));
      context.note(`run ${run + 1} of ${context.runs}`);
    }
    return [
      measurement("one key, p50", runs, 0.5, goalRatios.p50),
      measurement("one key, p99", runs, 0.99, goalRatios.p99),
    ];
  },
};

/** Milliseconds of each key through Berth and through the floor. */
interface Run {
  readonly whole: readonly number[];
  readonly floor: readonly number[];
}

async function inTurns(whole: EchoClient, floor: EchoClient, signal: AbortSignal): Promise<Run> {
  const run = { whole: [] as number[], floor: [] as number[] };
  while (run.whole.length < keysPerRun) {
    signal.throwIfAborted();
    run.floor.push(...(await floor.type(keysPerTurn)));
    run.whole.push(...(await whole.type(keysPerTurn)));
  }
  return run;
}

function measurement(name: string, runs: readonly Run[], share: number, goalRatio: number): Measurement {
  const pairs = runs.map(({ whole, floor }) => ({ value: percentile(whole, share), floor: percentile(floor, share) }));
  const values = pairs.map(({ value }) => value);
  const floors = pairs.map(({ floor }) => floor);
  return {
    name,
    unit: "ms",
    value: median(values),
    floor: median(floors),
    ratio: medianRatio(pairs),
    goal: { kind: "ratio", atMost: goalRatio },
    details: { runs: values, floor: floors },
  };
}
