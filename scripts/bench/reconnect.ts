import { setTimeout as wait } from "node:timers/promises";
import { TerminalScreen } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { median } from "./statistics.ts";
import { BerthSide } from "./terminals/berth-side.ts";
import { collectGarbage } from "./terminals/collect-garbage.ts";
import { browserBytesPerMs } from "./terminals/digestion.ts";
import { MeasuringViewer } from "./terminals/measuring-viewer.ts";
import { showing } from "./terminals/programs.ts";
import { mixedTuiOutput } from "./terminals/tui-output.ts";

const outputBytes = 10e6;
/** What an exact reconnect has missed: nearly all that the PTY host keeps. */
const missedBytes = 1e6;
const settleMs = 1_000;
/** Long enough for whatever a terminal gives back when nobody has used it for a while. */
const restMs = 12_000;
const goalMs = { exact: 15, 1000: 40, 5000: 150 } as const;

/** Coming back after much output. */
export const reconnect: Benchmark = {
  name: "reconnect",
  about: "attach again after 10 MB of output: at the exact byte, and with 1,000 and 5,000 lines of scrollback",
  defaultRuns: 5,
  async run(context) {
    const output = mixedTuiOutput(outputBytes);
    const berth = await BerthSide.start(context);
    const program = showing(await berth.place("output.out", output));
    const id = await berth.terminal(program);
    const shown = await show(context, berth, id);
    const bench = new ReconnectBench(berth, id, output, shown);
    const settled = await bench.measure(context);
    await wait(restMs);
    const rested = await bench.measureOnce();
    return [...measurements(settled, "", true), ...measurements([rested], " of a terminal that rested", false)];
  },
};

/** Where the output of a terminal begins and ends. */
interface Shown {
  readonly epoch: number;
  readonly start: number;
  readonly end: number;
}

/** Lets the program write its output to a first viewer, who then goes. */
async function show(context: BenchContext, berth: BerthSide, id: string): Promise<Shown> {
  const all = Promise.withResolvers<void>();
  let missing = outputBytes;
  const viewer = await MeasuringViewer.ready(berth.viewer(id), {
    digestsBytesPerMs: browserBytesPerMs,
    onOutput: (bytes) => {
      missing -= bytes.byteLength;
      if (missing <= 0) all.resolve();
    },
  });
  context.scope.add(() => viewer.close());
  const start = viewer.offset;
  viewer.send("g");
  await viewer.until(all.promise, "the output");
  const epoch = viewer.attached?.epoch ?? 0;
  viewer.close();
  await wait(settleMs);
  return { epoch, start, end: start + outputBytes };
}

/** Milliseconds of each way back. */
type Round = Readonly<Record<"exact" | 1000 | 5000, number>>;

class ReconnectBench {
  readonly #berth: BerthSide;
  readonly #id: string;
  readonly #output: Buffer;
  readonly #shown: Shown;

  constructor(berth: BerthSide, id: string, output: Buffer, shown: Shown) {
    this.#berth = berth;
    this.#id = id;
    this.#output = output;
    this.#shown = shown;
  }

  async measure({ runs, note, signal }: BenchContext): Promise<Round[]> {
    const rounds: Round[] = [];
    for (let run = 0; run < runs; run += 1) {
      signal.throwIfAborted();
      const round = await this.measureOnce();
      rounds.push(round);
      note(`exact ${round.exact.toFixed(1)} ms, snapshots ${round[1000].toFixed(0)} and ${round[5000].toFixed(0)} ms`);
    }
    return rounds;
  }

  async measureOnce(): Promise<Round> {
    return { 1000: await this.#snapshot(1000), 5000: await this.#snapshot(5000), exact: await this.#exact() };
  }

  async #exact(): Promise<number> {
    const { epoch, end } = this.#shown;
    // What this process has to clear up behind a verification is no part of a reconnection.
    collectGarbage();
    const chunks: Buffer[] = [];
    const all = Promise.withResolvers<void>();
    let missing = missedBytes;
    const begun = performance.now();
    const address = this.#berth.viewer(this.#id, { from: { epoch, offset: end - missedBytes } });
    const viewer = new MeasuringViewer(address, {
      onOutput: (bytes) => {
        chunks.push(bytes);
        missing -= bytes.byteLength;
        if (missing <= 0) all.resolve();
      },
    });
    await viewer.until(all.promise, "what was missed");
    const ms = performance.now() - begun;
    viewer.close();
    const exact = Buffer.concat(chunks).equals(this.#output.subarray(outputBytes - missedBytes));
    if (viewer.attached?.mode !== "exact" || !exact) throw new Error("the terminal did not go on at the exact byte");
    return ms;
  }

  async #snapshot(scrollback: number): Promise<number> {
    collectGarbage();
    const begun = performance.now();
    const arrived = Promise.withResolvers<Buffer>();
    const viewer = new MeasuringViewer(this.#berth.viewer(this.#id, { scrollback }), {
      onSnapshot: (bytes) => arrived.resolve(bytes),
    });
    const bytes = await viewer.until(arrived.promise, "the snapshot");
    const ms = performance.now() - begun;
    viewer.close();
    if (viewer.offset !== this.#shown.end) throw new Error("the snapshot is of another moment");
    await this.#verify(bytes, scrollback);
    return ms;
  }

  /** A terminal that is drawn from the snapshot has to show what one shows that was given the output itself. */
  async #verify(snapshot: Buffer, scrollback: number): Promise<void> {
    const size = { cols: 80, rows: 24, scrollback };
    const [restored, live] = [new TerminalScreen(size), new TerminalScreen(size)];
    restored.write(snapshot);
    live.write(this.#output);
    await Promise.all([restored.drained(), live.drained()]);
    const [got, wanted] = [restored.textWithScrollback(), live.textWithScrollback()];
    restored.dispose();
    live.dispose();
    if (got !== wanted) {
      const lines = got.split("\n").length;
      throw new Error(`a snapshot of ${lines} lines differs from the output's ${wanted.split("\n").length}`);
    }
  }
}

function measurements(rounds: readonly Round[], what: string, judged: boolean): Measurement[] {
  const one = (name: string, key: keyof Round): Measurement => {
    const runs = rounds.map((round) => round[key]);
    return {
      ...{ name: `${name}${what}`, unit: "ms", value: median(runs) },
      ...(judged ? { goal: { kind: "value", atMost: goalMs[key] } } : {}),
      details: { runs },
    };
  };
  return [one("exact", "exact"), one("snapshot of 1,000 lines", 1000), one("snapshot of 5,000 lines", 5000)];
}
