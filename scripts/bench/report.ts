import { availableParallelism, loadavg } from "node:os";
import { type Goal, isMet, type Measurement, type Unit } from "./benchmark.ts";

/** A benchmark's outcome: its figures, or why it has none. */
export type Outcome =
  | { readonly benchmark: string; readonly measurements: readonly Measurement[] }
  | { readonly benchmark: string; readonly error: string };

const heads = ["benchmark", "value", "floor", "ratio", "goal", "met"] as const;

/** The outcomes as a table for people. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = [heads as readonly string[], ...outcomes.flatMap(rowsOf)];
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)));
  return rows.map((row) => line(row).join("  ").trimEnd()).join("\n");
}

function rowsOf(outcome: Outcome): string[][] {
  if ("error" in outcome) return [[outcome.benchmark, "failed", "", "", "", "no"]];
  return outcome.measurements.map((measurement) => {
    const { name, unit, value, floor, ratio, goal } = measurement;
    const met = isMet(measurement);
    return [
      `${outcome.benchmark}: ${name}`,
      `${figure(value)} ${unit}`,
      floor === undefined ? "" : `${figure(floor)} ${unit}`,
      ratio === undefined ? "" : `${ratio.toFixed(2)}x`,
      goal === undefined ? "" : goalText(goal, unit),
      met === undefined ? "" : met ? "yes" : "NO",
    ];
  });
}

function goalText(goal: Goal, unit: Unit): string {
  const bound = "atLeast" in goal ? `>= ${goal.atLeast}` : `<= ${goal.atMost}`;
  return goal.kind === "ratio" ? `${bound}x` : `${bound} ${unit}`;
}

/** Three significant digits: no figure of a busy machine is worth more. */
function figure(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** The outcomes for programs: what `--json` writes. */
export function jsonReport(startedAt: Date, outcomes: readonly Outcome[]): string {
  const machine = { node: process.version, cpus: availableParallelism(), load: loadavg() };
  const results = outcomes.map((outcome) =>
    "error" in outcome
      ? outcome
      : {
          benchmark: outcome.benchmark,
          measurements: outcome.measurements.map((one) => ({ ...one, met: isMet(one) ?? null })),
        },
  );
  return `${JSON.stringify({ startedAt: startedAt.toISOString(), machine, results }, null, 2)}\n`;
}

/** Whether every benchmark ran and met its goals. */
export function allMet(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(
    (outcome) => !("error" in outcome) && outcome.measurements.every((measurement) => isMet(measurement) !== false),
  );
}
