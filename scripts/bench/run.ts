import { Scope } from "@berth/base";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import type { Outcome } from "./report.ts";

/** What `runAll` needs to know. */
export interface Selection {
  readonly chosen: readonly Benchmark[];
  readonly runs: number | undefined;
}

/**
 * Runs benchmarks one after the other. One that fails is an outcome too; after an abort there are only the outcomes of
 * those that had ended. Nothing that a benchmark made is left when this resolves.
 */
export async function runAll(
  { chosen, runs }: Selection,
  signal: AbortSignal,
  note: (line: string) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const benchmark of chosen) {
    if (signal.aborted) break;
    try {
      const measurements = await runOne(benchmark, runs ?? benchmark.defaultRuns, signal, note);
      outcomes.push({ benchmark: benchmark.name, measurements });
    } catch (error) {
      if (signal.aborted) {
        note("interrupted");
        break;
      }
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      note(`${benchmark.name} failed: ${text}`);
      outcomes.push({ benchmark: benchmark.name, error: text });
    }
  }
  return outcomes;
}

async function runOne(
  benchmark: Benchmark,
  runs: number,
  signal: AbortSignal,
  note: (line: string) => void,
): Promise<Measurement[]> {
  const scope = new Scope();
  const context: BenchContext = { runs, scope, signal, note: (line) => note(`${benchmark.name}: ${line}`) };
  const running = benchmark.run(context);
  try {
    return await Promise.race([running, aborted(signal)]);
  } finally {
    await scope.dispose();
    // What it waited for is gone: it ends too, before anything else begins.
    await running.catch(() => {});
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
