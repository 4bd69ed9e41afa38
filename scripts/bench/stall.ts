import { setTimeout as wait } from "node:timers/promises";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { EchoClient } from "./echo-client.ts";
import { median, percentile } from "./statistics.ts";
import { BerthSide } from "./terminals/berth-side.ts";
import { FloodViewer } from "./terminals/flood-viewer.ts";
import { ownBytes } from "./terminals/process-usage.ts";
import { echoing, interruptible } from "./terminals/programs.ts";
import { mixedTuiOutput } from "./terminals/tui-output.ts";

const stallMs = 10_000;
/** The flood runs for so long before anything is measured: buffers and heaps have their sizes then. */
const warmUpMs = 3_000;
const sampleMs = 100;
const floodFileBytes = 8e6;
/** "Unchanged" between two spans of a machine that is never quite even. */
const echoGoalRatio = 1.25;

/** Bytes of each process and the milliseconds of keys, while something lasted. */
interface Span {
  readonly bytes: Readonly<Record<"controller" | "agent" | "ptyHost", number>>;
  readonly keys: readonly number[];
}
interface Round {
  readonly before: Span;
  readonly stalled: Span;
  readonly caughtUpMs: number;
}

/** One of two viewers of a flood takes nothing for ten seconds. */
export const stall: Benchmark = {
  name: "stall",
  about: "a viewer that stalls 10 s in a flood: memory, another viewer's echo, and how soon it has caught up",
  defaultRuns: 5,
  async run(context) {
    const { scope } = context;
    const berth = await BerthSide.start(context);
    const program = interruptible(await berth.place("flood.out", mixedTuiOutput(floodFileBytes)));
    const floodId = await berth.terminal(program);
    const reading = await FloodViewer.open(scope, berth.viewer(floodId));
    await reading.start();
    const stalling = await FloodViewer.join(scope, berth.viewer(floodId));
    const echo = await EchoClient.open(berth.viewer(await berth.terminal(echoing)));
    scope.add(() => echo.close());
    await wait(warmUpMs);
    const rounds: Round[] = [];
    for (let run = 0; run < context.runs; run += 1) {
      const before = await measureSpan(context, berth, echo);
      await stalling.stall();
      const stalled = await measureSpan(context, berth, echo);
      const round = { before, stalled, caughtUpMs: await stalling.goOn() };
      rounds.push(round);
      context.note(told(round));
      await wait(1_000);
    }
    return measurements(rounds);
  },
};

async function measureSpan({ signal }: BenchContext, berth: BerthSide, echo: EchoClient): Promise<Span> {
  const samples: Span["bytes"][] = [];
  const keys: number[] = [];
  for (const end = performance.now() + stallMs; performance.now() < end; ) {
    signal.throwIfAborted();
    const { controller, agent, ptyHost } = berth.processes;
    samples.push({
      controller: await ownBytes(controller),
      agent: await ownBytes(agent),
      ptyHost: await ownBytes(ptyHost),
    });
    keys.push(...(await echo.type(10)));
    await wait(sampleMs);
  }
  const middle = (name: keyof Span["bytes"]) => median(samples.map((sample) => sample[name]));
  return { bytes: { controller: middle("controller"), agent: middle("agent"), ptyHost: middle("ptyHost") }, keys };
}

function growth({ before, stalled }: Round, name: keyof Span["bytes"]): number {
  return (stalled.bytes[name] - before.bytes[name]) / 1e6;
}

function told(round: Round): string {
  const grown = (["controller", "agent", "ptyHost"] as const).map((name) => growth(round, name).toFixed(1));
  return `grew by ${grown.join(", ")} MB, caught up in ${round.caughtUpMs.toFixed(0)} ms`;
}

function measurements(rounds: readonly Round[]): Measurement[] {
  const memory = (["controller", "agent", "ptyHost"] as const).map((name): Measurement => {
    const runs = rounds.map((round) => growth(round, name));
    const title = name === "ptyHost" ? "PTY host" : name;
    const goal = { kind: "value", atMost: 4 } as const;
    return { name: `growth of the ${title}`, unit: "MB", value: median(runs), goal, details: { runs } };
  });
  const echo = ([0.5, 0.99] as const).map((share): Measurement => {
    const values = rounds.map(({ stalled }) => percentile(stalled.keys, share));
    const floors = rounds.map(({ before }) => percentile(before.keys, share));
    return {
      name: `another's echo against before, p${share * 100}`,
      ...{ unit: "ms", value: median(values), floor: median(floors), ratio: median(values) / median(floors) },
      goal: { kind: "ratio", atMost: echoGoalRatio },
      details: { runs: values, before: floors },
    };
  });
  const runs = rounds.map(({ caughtUpMs }) => caughtUpMs);
  const goal = { kind: "value", atMost: 50 } as const;
  return [...memory, ...echo, { name: "caught up", unit: "ms", value: median(runs), goal, details: { runs } }];
}
