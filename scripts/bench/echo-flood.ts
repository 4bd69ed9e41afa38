import { setTimeout as wait } from "node:timers/promises";
import type { Benchmark, Measurement } from "./benchmark.ts";
import { EchoClient } from "./echo-client.ts";
import { startBareRelay } from "./floor/bare-relay.ts";
import { median, medianRatio, percentile } from "./statistics.ts";
import { openAddress } from "./terminals/address.ts";
import { BerthSide } from "./terminals/berth-side.ts";
import { FloodViewer } from "./terminals/flood-viewer.ts";
import { echoing, interruptible } from "./terminals/programs.ts";
import { mixedTuiOutput } from "./terminals/tui-output.ts";

const goalRatio = 1.5;
const keysPerRun = 400;
/** From the start of the flood until it is under way everywhere. */
const floodStartMs = 500;
const floodFileBytes = 8e6;

/** A terminal that echoes and one that floods, through the same processes. */
interface Side {
  readonly echo: EchoClient;
  readonly flood: FloodViewer;
}
interface Run {
  readonly whole: readonly number[];
  readonly floor: readonly number[];
}

/** One key, while another terminal of the same sandbox floods. */
export const echoFlood: Benchmark = {
  name: "echo-flood",
  about: "one key to the PTY and back, while another terminal of the same sandbox floods its viewer",
  defaultRuns: 5,
  async run(context) {
    const { scope } = context;
    const berth = await BerthSide.start(context);
    const flooding = interruptible(await berth.place("flood.out", mixedTuiOutput(floodFileBytes)));
    const relay = await startBareRelay(context, berth.certificate, [echoing, flooding]);
    const open = async (echoAddress: Parameters<typeof EchoClient.open>[0], floodAddress: typeof echoAddress) => {
      const echo = await EchoClient.open(echoAddress);
      scope.add(() => echo.close());
      return { echo, flood: await FloodViewer.open(scope, floodAddress) };
    };
    const floor = await open(openAddress(relay.urls[0]), openAddress(relay.urls[1]));
    const [echoId, floodId] = [await berth.terminal(echoing), await berth.terminal(flooding)];
    const whole = await open(berth.viewer(echoId), berth.viewer(floodId));
    const runs: Run[] = [];
    // The first one warms everything up.
    for (let run = 0; run <= context.runs; run += 1) {
      context.signal.throwIfAborted();
      const measured = { floor: await measure(floor), whole: await measure(whole) };
      if (run > 0) runs.push(measured);
      context.note(
        `p99 ${percentile(measured.whole, 0.99).toFixed(1)} ms, floor ${percentile(measured.floor, 0.99).toFixed(1)} ms`,
      );
    }
    return [measurement("one key, p50", runs, 0.5), measurement("one key, p99", runs, 0.99, goalRatio)];
  },
};

async function measure({ echo, flood }: Side): Promise<number[]> {
  await flood.start();
  await wait(floodStartMs);
  const times = await echo.type(keysPerRun);
  await flood.interrupt();
  return times;
}

function measurement(name: string, runs: readonly Run[], share: number, goal?: number): Measurement {
  const pairs = runs.map(({ whole, floor }) => ({ value: percentile(whole, share), floor: percentile(floor, share) }));
  const values = pairs.map(({ value }) => value);
  const floors = pairs.map(({ floor }) => floor);
  return {
    ...{ name, unit: "ms", value: median(values), floor: median(floors), ratio: medianRatio(pairs) },
    ...(goal === undefined ? {} : { goal: { kind: "ratio", atMost: goal } }),
    details: { runs: values, floor: floors },
  };
}
