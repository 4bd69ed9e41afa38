import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Berth } from "@berth/testkit";
import type { Benchmark, Measurement } from "./benchmark.ts";
import { EchoClient, echoProgram } from "./echo-client.ts";
import { startBareRelay } from "./floor/bare-relay.ts";
import { median, medianRatio, percentile } from "./statistics.ts";
import { ownBerth } from "./whole-berth.ts";

const goalRatio = 1.5;
/** Keys of one run on either side, after as many that warm both up. */
const keysPerRun = 400;
/** Keys before it is the other side's turn, so that what slows the machine down slows both. */
const keysPerTurn = 40;

/** One key, from the client to the PTY and back. */
export const echo: Benchmark = {
  name: "echo",
  about: "one key to the PTY and back, through all of Berth and through a bare relay with the same hops",
  defaultRuns: 5,
  async run(context) {
    const berth = await ownBerth(context);
    await berth.start();
    const certificate = join(berth.dataDir, "keys", "agent-listener.pem");
    const floor = await EchoClient.open(await startBareRelay(context, certificate, echoProgram));
    context.scope.add(() => floor.close());
    const whole = await openThroughBerth(berth);
    context.scope.add(() => whole.close());
    await inTurns(whole, floor, context.signal);
    const runs: Run[] = [];
    for (let run = 0; run < context.runs; run += 1) {
      runs.push(await inTurns(whole, floor, context.signal));
      context.note(`run ${run + 1} of ${context.runs}`);
    }
    return [measurement("one key, p50", runs, 0.5, true), measurement("one key, p99", runs, 0.99, false)];
  },
};

/** Milliseconds of each key through Berth and through the floor. */
interface Run {
  readonly whole: readonly number[];
  readonly floor: readonly number[];
}

/** Attaches as the console does: input is counted. */
async function openThroughBerth(berth: Berth): Promise<EchoClient> {
  const sandbox = await berth.readySandbox();
  const terminal = await berth.openTerminal(sandbox.id, { kind: "exec", argv: [...echoProgram], cols: 80, rows: 24 });
  const url = new URL(`/api/v1/terminals/${terminal.id}/attach`, berth.url);
  url.protocol = "ws:";
  url.search = new URLSearchParams({ cols: "80", rows: "24", input: `${randomUUID()}:0` }).toString();
  return EchoClient.open(url, { authorization: `Bearer ${berth.token}` });
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

function measurement(name: string, runs: readonly Run[], share: number, judged: boolean): Measurement {
  const pairs = runs.map(({ whole, floor }) => ({ value: percentile(whole, share), floor: percentile(floor, share) }));
  const values = pairs.map(({ value }) => value);
  const floors = pairs.map(({ floor }) => floor);
  return {
    name,
    unit: "ms",
    value: median(values),
    floor: median(floors),
    ratio: medianRatio(pairs),
    ...(judged ? { goal: { kind: "ratio", atMost: goalRatio } as const } : {}),
    details: { runs: values, floor: floors },
  };
}
