import { existsSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { makeLargeFleet } from "../../controller/test/large-fleet.fixture.ts";
import { fleetToken, giveAgents } from "../../controller/test/large-fleet-agents.fixture.ts";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { startAgents } from "./large-fleet/agents-process.ts";
import { ClusterProcess } from "./large-fleet/cluster-process.ts";
import { FleetController } from "./large-fleet/fleet-controller.ts";
import { Typist } from "./large-fleet/typist.ts";
import { median, percentile } from "./statistics.ts";
import { cpuMs, peakResidentBytes, residentBytes } from "./terminals/process-usage.ts";
import { requireBuilt } from "./whole-berth.ts";

const agentCount = 1_000;
const terminalsEach = 2;
const active = 100;
const goals = { megabytes: 300, cpuPercent: 2, echoRatio: 2 } as const;
const linkTimeoutMs = 60_000;
/** A whole beat of every link: what their coming has begun is over. */
const settleMs = 10_000;
const idleMs = 20_000;
/** Rounds of one run, so that what slows the machine down slows both; one alone types longer, for enough keys. */
const echoRounds = 3;
const aloneMs = 12_000;
const togetherMs = 4_000;

interface Round {
  readonly returnMs: number;
  readonly peakBytes: number;
  readonly restBytes: number;
  readonly cpuPercent: number;
  readonly alone: readonly number[];
  readonly together: readonly number[];
}

/** A controller with a thousand agents, who come back after it was killed, do nothing, and show what some people type. */
export const scale: Benchmark = {
  name: "scale",
  about: `${agentCount} agents with ${terminalsEach} terminals each on one controller: memory, CPU idle, return, echo`,
  defaultRuns: 1,
  async run(context) {
    requireBuilt();
    const rounds: Round[] = [];
    const berth = await startFleet(context);
    for (let run = 0; run < context.runs; run += 1) rounds.push(await measureRound(context, berth));
    return measurements(rounds);
  },
};

type RunningFleet = Awaited<ReturnType<typeof startFleet>>;

async function startFleet({ scope, note }: BenchContext) {
  const fleet = await makeLargeFleet(scope, agentCount, "127.0.0.1");
  const agentVersion = builtAgentVersion();
  const agents = await giveAgents(fleet, { terminalsEach, agentVersion });
  const { port } = await ClusterProcess.start(scope, {
    ...{ nodes: [fleet.node], containers: fleet.containers },
    ...fleet.keys.listener,
  });
  const token = await fleetToken(fleet);
  const controller = await FleetController.prepare(scope, { fleet, clusterPort: port, token });
  await controller.start();
  const played = await startAgents(scope, {
    ...{ controllerUrl: controller.agentUrl, controllerCertificate: fleet.keys.listener.certificate, agentVersion },
    agents,
  });
  await played.next("all-linked", linkTimeoutMs);
  note(`${agentCount} agents are linked`);
  return { controller, played, terminalIds: agents.map(({ terminalIds }) => terminalIds[0] ?? "") };
}

/** The same as the controller's, which would bring others up to date. */
function builtAgentVersion(): string {
  const path = new URL("../../agent/dist/version", import.meta.url);
  if (!existsSync(path)) throw new Error(`${path.pathname} is not there: run "npm run build" first`);
  return readFileSync(path, "utf8").trim();
}

async function measureRound({ note, signal }: BenchContext, fleet: RunningFleet): Promise<Round> {
  signal.throwIfAborted();
  const { controller } = fleet;
  const returnMs = await restart(fleet);
  note(`all back ${Math.round(returnMs)} ms after the controller was ready`);
  await wait(settleMs);
  const peakBytes = await peakResidentBytes(controller.pid);
  const cpuPercent = await idleCpuPercent(controller.pid);
  const restBytes = await residentBytes(controller.pid);
  note(`${megabytes(restBytes)} MB (${megabytes(peakBytes)} at most), ${cpuPercent.toFixed(2)} % of a CPU idle`);
  return { returnMs, peakBytes, restBytes, cpuPercent, ...(await typing(fleet, signal, note)) };
}

/** Milliseconds from the new controller's being ready until every agent has its link. */
async function restart({ controller, played }: RunningFleet): Promise<number> {
  const gone = played.next("none-linked");
  await controller.crash();
  await gone;
  const back = played.next("all-linked", linkTimeoutMs).then(() => performance.now());
  await controller.start();
  const ready = performance.now();
  return (await back) - ready;
}

async function idleCpuPercent(pid: number): Promise<number> {
  const before = { cpuMs: await cpuMs(pid), atMs: performance.now() };
  await wait(idleMs);
  return ((await cpuMs(pid)) - before.cpuMs) / ((performance.now() - before.atMs) / 100);
}

/** Milliseconds of each key while one person types, and while many do. */
async function typing({ controller, terminalIds }: RunningFleet, signal: AbortSignal, note: (line: string) => void) {
  const typists = await Promise.all(terminalIds.slice(0, active).map((id) => Typist.open(controller.viewer(id))));
  const [first] = typists;
  const times = { alone: [] as number[], together: [] as number[] };
  try {
    for (let round = 0; round < echoRounds; round += 1) {
      signal.throwIfAborted();
      if (first) times.alone.push(...(await first.type(aloneMs)));
      times.together.push(...(await Promise.all(typists.map((typist) => typist.type(togetherMs)))).flat());
    }
  } finally {
    for (const typist of typists) typist.close();
  }
  const told = Object.entries(times).map(([who, keys]) => {
    return `${who} ${percentile(keys, 0.5).toFixed(2)} / ${percentile(keys, 0.99).toFixed(2)} ms (${keys.length} keys)`;
  });
  note(`echo p50 / p99: ${told.join(", ")}`);
  return times;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}

function measurements(rounds: readonly Round[]): Measurement[] {
  const one = (name: string, unit: Measurement["unit"], runs: readonly number[], atMost?: number): Measurement => ({
    ...{ name, unit, value: median(runs), details: { runs } },
    ...(atMost === undefined ? {} : { goal: { kind: "value", atMost } }),
  });
  const echo = (name: string, share: number, atMost?: number): Measurement => {
    const together = rounds.map((round) => percentile(round.together, share));
    const alone = rounds.map((round) => percentile(round.alone, share));
    const ratio = median(together.map((value, index) => value / (alone[index] ?? Number.NaN)));
    return {
      ...{ name, unit: "ms", value: median(together), floor: median(alone), ratio, details: { together, alone } },
      ...(atMost === undefined ? {} : { goal: { kind: "ratio", atMost } }),
    };
  };
  const column = (figure: (round: Round) => number) => rounds.map(figure);
  return [
    one(
      "memory of the controller at rest",
      "MB",
      column(({ restBytes }) => restBytes / 1e6),
      goals.megabytes,
    ),
    one(
      "its CPU at rest",
      "%",
      column(({ cpuPercent }) => cpuPercent),
      goals.cpuPercent,
    ),
    one(
      "all agents back after a kill, from ready",
      "ms",
      column(({ returnMs }) => returnMs),
    ),
    one(
      "its memory in that, at most",
      "MB",
      column(({ peakBytes }) => peakBytes / 1e6),
    ),
    echo(`echo with ${active} active, by that with one, p50`, 0.5),
    echo(`echo with ${active} active, by that with one, p99`, 0.99, goals.echoRatio),
  ];
}
