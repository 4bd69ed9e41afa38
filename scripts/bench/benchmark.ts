import type { Scope } from "@berth/base";

/** What a measurement is held to. */
export type Goal =
  /** The value itself, in the measurement's unit. */
  | { readonly kind: "value"; readonly atMost: number }
  /** The value as a multiple of the floor. */
  | { readonly kind: "ratio"; readonly atMost: number }
  /** The same where more is better. */
  | { readonly kind: "ratio"; readonly atLeast: number };

/** What a value is in; the sizes are powers of ten. `ms/MB` is CPU time. */
export type Unit = "ms" | "calls" | "MB/s" | "ms/MB" | "MB" | "KB" | "%";

/** One figure of a benchmark: a line of the table. */
export interface Measurement {
  /** Unique within the benchmark. */
  readonly name: string;
  readonly unit: Unit;
  /** The median of the runs. */
  readonly value: number;
  /** The same by the least that it takes, measured in the same run; undefined where there is no such thing. */
  readonly floor?: number;
  /** Value by floor, run by run, and of these the median. Only with a floor. */
  readonly ratio?: number;
  /** Undefined: measured to be seen, not to be judged. */
  readonly goal?: Goal;
  /** What the runs gave one by one, and what they were made of. */
  readonly details: Readonly<Record<string, readonly number[]>>;
}

/** What a benchmark is given. */
export interface BenchContext {
  /** How often to measure, at least 1. */
  readonly runs: number;
  /** Owns what the benchmark makes; disposed after it, and as soon as somebody interrupts. */
  readonly scope: Scope;
  /** Aborted when somebody interrupts. */
  readonly signal: AbortSignal;
  /** Tells the person in front what is going on. */
  note(line: string): void;
}

/** A benchmark. Each is a module of this folder, listed in `catalogue.ts`. */
export interface Benchmark {
  /** As it is called on the command line. */
  readonly name: string;
  /** One line for `--help`. */
  readonly about: string;
  readonly defaultRuns: number;
  run(context: BenchContext): Promise<Measurement[]>;
}

/** Whether a measurement meets its goal; undefined without one. */
export function isMet({ goal, value, ratio }: Measurement): boolean | undefined {
  if (!goal) return undefined;
  const judged = goal.kind === "value" ? value : ratio;
  if (judged === undefined) return false;
  return "atLeast" in goal ? judged >= goal.atLeast : judged <= goal.atMost;
}
