import { createHash } from "node:crypto";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { startBareRelay, startPlainRelay } from "./floor/bare-relay.ts";
import { median, medianRatio } from "./statistics.ts";
import { type Address, openAddress } from "./terminals/address.ts";
import { BerthSide } from "./terminals/berth-side.ts";
import { MeasuringViewer } from "./terminals/measuring-viewer.ts";
import { cpuMs } from "./terminals/process-usage.ts";
import { profiledShare } from "./terminals/profile.ts";
import { showing } from "./terminals/programs.ts";
import { mixedTuiOutput } from "./terminals/tui-output.ts";

const megabytes = 64;
const bulkTimeoutMs = 60_000;
/** Work that a side puts off until its output has ended is its work too. */
const settleMs = 1_500;
/** What xterm does its parsing in. */
const modelFunction = "_innerWrite";

/** One way of the bytes, and its processes. */
interface Side {
  readonly viewer: BulkViewer;
  readonly pids: readonly number[];
}

interface Figures {
  readonly megabytesPerSecond: number;
  readonly cpuMsPerMegabyte: number;
}
type Round = Readonly<Record<"berth" | "floor" | "plain", Figures>>;

/** Much output at once: how fast it comes, and what it costs. */
export const bulk: Benchmark = {
  name: "bulk",
  about: `${megabytes} MB of mixed output to a viewer, through all of Berth and through a bare relay with the same hops`,
  defaultRuns: 5,
  async run(context) {
    const output = mixedTuiOutput(megabytes * 1e6);
    const { sides, ptyHost } = await startSides(context, output);
    // The first one warms everything up.
    await measureRound(sides);
    const rounds: Round[] = [];
    for (let run = 0; run < context.runs; run += 1) {
      context.signal.throwIfAborted();
      const round = await measureRound(sides);
      rounds.push(round);
      context.note(told(round));
    }
    const model = await measureModel(sides.berth, ptyHost);
    return [...measurements(rounds, model), modelMeasurement(model)];
  },
};

async function startSides(context: BenchContext, output: Buffer) {
  const { scope } = context;
  const berth = await BerthSide.start(context);
  const file = await berth.place("bulk.out", output);
  const program = showing(file);
  const floor = await startBareRelay({ scope }, berth.certificate, [program]);
  const plain = await startPlainRelay({ scope }, [program]);
  const hash = sha256([output]);
  const open = async (address: Address) => {
    const viewer = await BulkViewer.open(address, output.byteLength, hash);
    scope.add(() => viewer.close());
    return viewer;
  };
  const { controller, agent, ptyHost } = berth.processes;
  const sides = {
    berth: { viewer: await open(berth.viewer(await berth.terminal(program))), pids: [controller, agent, ptyHost] },
    floor: { viewer: await open(openAddress(floor.urls[0])), pids: floor.pids },
    plain: { viewer: await open(openAddress(plain.urls[0])), pids: plain.pids },
  };
  return { sides, ptyHost };
}

interface Take {
  chunks: Buffer[];
  missingBytes: number;
  done(): void;
}

/** Takes a known output, and holds it against its hash. */
class BulkViewer {
  readonly #viewer: MeasuringViewer;
  readonly #take: Take;
  readonly #totalBytes: number;
  readonly #hash: string;

  private constructor(viewer: MeasuringViewer, take: Take, totalBytes: number, hash: string) {
    this.#viewer = viewer;
    this.#take = take;
    this.#totalBytes = totalBytes;
    this.#hash = hash;
  }

  static async open(address: Address, totalBytes: number, hash: string) {
    const take: Take = { chunks: [], missingBytes: 0, done: () => {} };
    const viewer = await MeasuringViewer.ready(address, {
      onOutput: (bytes) => {
        take.chunks.push(bytes);
        take.missingBytes -= bytes.byteLength;
        if (take.missingBytes <= 0) take.done();
      },
      onSnapshot: () => take.chunks.push(Buffer.from("a snapshot instead of bytes")),
    });
    take.chunks = [];
    return new BulkViewer(viewer, take, totalBytes, hash);
  }

  /** Milliseconds from the key that starts the output to its last byte. */
  async take(): Promise<number> {
    const take = this.#take;
    take.chunks = [];
    take.missingBytes = this.#totalBytes;
    const whole = new Promise<void>((resolve) => {
      take.done = resolve;
    });
    const begun = performance.now();
    this.#viewer.send("g");
    await this.#viewer.until(whole, "the whole output", bulkTimeoutMs);
    const ms = performance.now() - begun;
    if (sha256(take.chunks) !== this.#hash) throw new Error("the output has not come intact");
    take.chunks = [];
    return ms;
  }

  close(): void {
    this.#viewer.close();
  }
}

function sha256(chunks: readonly Buffer[]): string {
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}

async function measureRound({ berth, floor, plain }: Record<keyof Round, Side>): Promise<Round> {
  return { floor: await measure(floor), berth: await measure(berth), plain: await measure(plain) };
}

async function measure({ viewer, pids }: Side): Promise<Figures> {
  const before = await totalCpuMs(pids);
  const ms = await viewer.take();
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const cpu = (await totalCpuMs(pids)) - before;
  return { megabytesPerSecond: (megabytes * 1000) / ms, cpuMsPerMegabyte: cpu / megabytes };
}

async function totalCpuMs(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(pids.map((pid) => cpuMs(pid)));
  return each.reduce((sum, ms) => sum + ms, 0);
}

/** Milliseconds of CPU a megabyte that the screen model takes of the PTY host's. */
async function measureModel(berth: Side, ptyHost: number): Promise<number> {
  const before = await cpuMs(ptyHost);
  const share = await profiledShare(ptyHost, modelFunction, async () => void (await measure(berth)));
  return (share * ((await cpuMs(ptyHost)) - before)) / megabytes;
}

function told(round: Round): string {
  return Object.entries(round)
    .map(([side, { megabytesPerSecond, cpuMsPerMegabyte }]) => {
      return `${side} ${megabytesPerSecond.toFixed(1)} MB/s at ${cpuMsPerMegabyte.toFixed(1)} ms/MB`;
    })
    .join(", ");
}

function measurements(rounds: readonly Round[], model: number): Measurement[] {
  const column = (side: keyof Round, figure: keyof Figures) => rounds.map((round) => round[side][figure]);
  const compared = (figure: keyof Figures) => ({
    value: median(column("berth", figure)),
    floor: median(column("floor", figure)),
    ratio: medianRatio(rounds.map(({ berth, floor }) => ({ value: berth[figure], floor: floor[figure] }))),
    details: { runs: column("berth", figure), floor: column("floor", figure), plainRelay: column("plain", figure) },
  });
  const withoutModel = () => {
    const own = rounds.map(({ berth }) => berth.cpuMsPerMegabyte - model);
    const ratio = medianRatio(
      rounds.map(({ floor }, at) => ({ value: own[at] ?? Number.NaN, floor: floor.cpuMsPerMegabyte })),
    );
    const goal = { kind: "ratio", atMost: 1.25 } as const;
    return {
      value: median(own),
      floor: median(column("floor", "cpuMsPerMegabyte")),
      ratio,
      goal,
      details: { runs: own },
    };
  };
  const alone = (figure: keyof Figures) => ({
    value: median(column("plain", figure)),
    details: { runs: column("plain", figure) },
  });
  return [
    { name: "throughput", unit: "MB/s", ...compared("megabytesPerSecond"), goal: { kind: "ratio", atLeast: 0.9 } },
    { name: "CPU of controller, agent and PTY host, but for the screen model", unit: "ms/MB", ...withoutModel() },
    { name: "CPU of controller, agent and PTY host", unit: "ms/MB", ...compared("cpuMsPerMegabyte") },
    { name: "throughput of the plain relay", unit: "MB/s", ...alone("megabytesPerSecond") },
    { name: "CPU of the plain relay", unit: "ms/MB", ...alone("cpuMsPerMegabyte") },
  ];
}

function modelMeasurement(model: number): Measurement {
  return { name: "of it the screen model", unit: "ms/MB", value: model, details: { runs: [model] } };
}
