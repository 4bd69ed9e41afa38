import { setTimeout as wait } from "node:timers/promises";
import { TerminalScreen } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { median } from "./statistics.ts";
import { BerthSide } from "./terminals/berth-side.ts";
import { browserBytesPerMs } from "./terminals/digestion.ts";
import { liveBytes } from "./terminals/live-memory.ts";
import { MeasuringViewer } from "./terminals/measuring-viewer.ts";
import { ownBytes } from "./terminals/process-usage.ts";
import { showing } from "./terminals/programs.ts";
import { mixedTuiOutput } from "./terminals/tui-output.ts";

const goalBytes = { controller: 32_000, empty: 64_000, filled: 2_500_000 } as const;
const emptyTerminals = 70;
const filledTerminals = 15;
/** Enough for 5,000 lines of scrollback, and more than the PTY host keeps of it as it came. */
const fillBytes = 2e6;
const scrollbackLines = 5_000;
/** Longer than the screens that were used last keep their models. */
const restMs = 30_000;

/** What one terminal takes, in bytes. */
interface Round {
  readonly controller: number;
  readonly empty: number;
  readonly filled: number;
}

/** What a terminal costs each process that has a part in it. */
export const memory: Benchmark = {
  name: "memory",
  about: "memory of a terminal in the controller (with its viewer) and in the PTY host, empty and filled, at rest",
  defaultRuns: 1,
  async run(context) {
    const rounds: Round[] = [];
    for (let run = 0; run < context.runs; run += 1) {
      context.signal.throwIfAborted();
      const round = await measureRound(context);
      rounds.push(round);
      const told = Object.entries(round).map(([what, bytes]) => `${what} ${(bytes / 1000).toFixed(0)} KB`);
      context.note(told.join(", "));
    }
    return measurements(rounds);
  },
};

/** A Berth of its own, since memory that was once taken would be there for the next. */
async function measureRound(context: BenchContext): Promise<Round> {
  const berth = await BerthSide.start(context);
  const program = showing(await berth.place("fill.out", mixedTuiOutput(fillBytes)));
  // The first ones bring code and tables that all share.
  await openTerminals(context, berth, program, 3);
  const atFirst = await rest(berth);
  await openTerminals(context, berth, program, emptyTerminals);
  const withEmpty = await rest(berth);
  const viewers = await openTerminals(context, berth, program, filledTerminals);
  for (const viewer of viewers) await fill(viewer);
  const withFilled = await rest(berth);
  const empty = (withEmpty.ptyHost - atFirst.ptyHost) / emptyTerminals;
  await verifyScrollback(berth, viewers);
  for (const { viewer } of viewers) viewer.close();
  return {
    controller: (withEmpty.controller - atFirst.controller) / emptyTerminals,
    empty,
    filled: (withFilled.ptyHost - withEmpty.ptyHost) / filledTerminals,
  };
}

interface WatchedTerminal {
  readonly id: string;
  readonly viewer: MeasuringViewer;
  onOutput: (bytes: number) => void;
}

async function openTerminals(
  context: BenchContext,
  berth: BerthSide,
  program: readonly string[],
  count: number,
): Promise<WatchedTerminal[]> {
  const opened: WatchedTerminal[] = [];
  for (let index = 0; index < count; index += 1) {
    context.signal.throwIfAborted();
    const id = await berth.terminal(program);
    const handler = { onOutput: (_bytes: number) => {} };
    const viewer = await MeasuringViewer.ready(berth.viewer(id), {
      digestsBytesPerMs: browserBytesPerMs,
      onOutput: (bytes) => handler.onOutput(bytes.byteLength),
    });
    context.scope.add(() => viewer.close());
    opened.push(Object.assign(handler, { id, viewer }));
  }
  return opened;
}

async function fill(terminal: WatchedTerminal): Promise<void> {
  let missing = fillBytes;
  const all = new Promise<void>((resolve) => {
    terminal.onOutput = (bytes) => {
      missing -= bytes;
      if (missing <= 0) resolve();
    };
  });
  terminal.viewer.send("g");
  await terminal.viewer.until(all, "the output");
}

/** What the controller holds on to, and the own memory of the PTY host, when nothing has happened for a while. */
async function rest(berth: BerthSide): Promise<{ controller: number; ptyHost: number }> {
  await wait(restMs);
  const { controller, ptyHost } = berth.processes;
  return { controller: await liveBytes(controller), ptyHost: await ownBytes(ptyHost) };
}

/** What was given back has to be there when somebody asks for it. */
async function verifyScrollback(berth: BerthSide, terminals: readonly WatchedTerminal[]): Promise<void> {
  for (const { id } of terminals) {
    const arrived = Promise.withResolvers<Buffer>();
    const viewer = new MeasuringViewer(berth.viewer(id, { scrollback: scrollbackLines }), {
      onSnapshot: (bytes) => arrived.resolve(bytes),
    });
    const snapshot = await viewer.until(arrived.promise, "the snapshot");
    viewer.close();
    const screen = new TerminalScreen({ cols: 80, rows: 24, scrollback: scrollbackLines });
    screen.write(snapshot);
    await screen.drained();
    const lines = screen.textWithScrollback().split("\n").length;
    screen.dispose();
    if (lines < scrollbackLines) throw new Error(`only ${lines} lines came back`);
  }
}

function measurements(rounds: readonly Round[]): Measurement[] {
  const one = (name: string, key: keyof Round): Measurement => {
    const runs = rounds.map((round) => round[key] / 1000);
    const goal = { kind: "value", atMost: goalBytes[key] / 1000 } as const;
    return { name, unit: "KB", value: median(runs), goal, details: { runs } };
  };
  return [
    one("a terminal and its viewer in the controller", "controller"),
    one("an empty terminal in the PTY host", "empty"),
    one("a filled terminal in the PTY host", "filled"),
  ];
}
