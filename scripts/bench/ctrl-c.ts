import { setTimeout as wait } from "node:timers/promises";
import type { Benchmark } from "./benchmark.ts";
import { startBareRelay } from "./floor/bare-relay.ts";
import { median, medianRatio } from "./statistics.ts";
import { type Address, openAddress } from "./terminals/address.ts";
import { BerthSide } from "./terminals/berth-side.ts";
import { browserBytesPerMs } from "./terminals/digestion.ts";
import { MeasuringViewer } from "./terminals/measuring-viewer.ts";
import { interruptible, promptWord } from "./terminals/programs.ts";
import { mixedTuiOutput } from "./terminals/tui-output.ts";

const goalMs = 50;
/** How long it floods before somebody has seen enough. */
const floodMs = 700;
const floodFileBytes = 8e6;

/** From Ctrl-C to the prompt, with a screen that is slower than the flood. */
export const ctrlC: Benchmark = {
  name: "ctrl-c",
  about: "Ctrl-C in a flood until the prompt is on a screen that digests 10 MB/s",
  defaultRuns: 5,
  async run(context) {
    const berth = await BerthSide.start(context);
    const program = interruptible(await berth.place("flood.out", mixedTuiOutput(floodFileBytes)));
    const relay = await startBareRelay(context, berth.certificate, [program]);
    const whole = await Interrupter.open(berth.viewer(await berth.terminal(program)));
    context.scope.add(() => whole.close());
    const floor = await Interrupter.open(openAddress(relay.urls[0]));
    context.scope.add(() => floor.close());
    const rounds: { value: number; floor: number }[] = [];
    for (let run = 0; run < context.runs; run += 1) {
      context.signal.throwIfAborted();
      const round = { value: await whole.measure(), floor: await floor.measure() };
      rounds.push(round);
      context.note(`${round.value.toFixed(0)} ms, floor ${round.floor.toFixed(0)} ms`);
    }
    const values = rounds.map(({ value }) => value);
    const floors = rounds.map(({ floor: ms }) => ms);
    return [
      {
        ...{ name: "prompt on the screen", unit: "ms", value: median(values), floor: median(floors) },
        ratio: medianRatio(rounds),
        goal: { kind: "value", atMost: goalMs },
        details: { runs: values, floor: floors },
      },
    ];
  },
};

/** Somebody who starts a flood and interrupts it. */
class Interrupter {
  readonly #viewer: MeasuringViewer;
  readonly #seen: { tail: string; onPrompt: (atMs: number) => void };

  private constructor(viewer: MeasuringViewer, seen: { tail: string; onPrompt: (atMs: number) => void }) {
    this.#viewer = viewer;
    this.#seen = seen;
  }

  static async open(address: Address): Promise<Interrupter> {
    const seen = { tail: "", onPrompt: (_atMs: number) => {} };
    const viewer = await MeasuringViewer.ready(address, {
      digestsBytesPerMs: browserBytesPerMs,
      onOutput: (bytes, digestedAtMs) => {
        const ending = bytes.toString("latin1", Math.max(0, bytes.byteLength - promptWord.length));
        seen.tail = `${seen.tail}${ending}`.slice(-promptWord.length);
        if (seen.tail === promptWord) seen.onPrompt(digestedAtMs);
      },
    });
    return new Interrupter(viewer, seen);
  }

  /** Milliseconds from Ctrl-C until the prompt is digested. */
  async measure(): Promise<number> {
    const prompt = new Promise<number>((resolve) => {
      this.#seen.onPrompt = resolve;
    });
    this.#viewer.send("g");
    await wait(floodMs);
    const begun = performance.now();
    this.#viewer.send("\x03");
    const digestedAtMs = await this.#viewer.until(prompt, "the prompt");
    await wait(Math.max(0, digestedAtMs - performance.now()));
    return digestedAtMs - begun;
  }

  close(): void {
    this.#viewer.close();
  }
}
