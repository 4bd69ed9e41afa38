import { parseArgs } from "node:util";
import type { Benchmark } from "./benchmark.ts";

/** What a call of `npm run bench` asks for. */
export interface CommandLine {
  readonly chosen: readonly Benchmark[];
  /** Where the figures go for programs. */
  readonly json: string | undefined;
  /** Undefined: as often as each benchmark likes. */
  readonly runs: number | undefined;
  /** A missed goal is a failure. */
  readonly strict: boolean;
}

/** What is wrong with a command line, in one sentence. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const options = {
  json: { type: "string" },
  runs: { type: "string" },
  strict: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Reads a command line; `help` when that is asked for. Throws a `UsageError`. */
export function parseCommandLine(words: readonly string[], catalogue: readonly Benchmark[]): CommandLine | "help" {
  const { values, positionals } = read(words);
  if (values.help) return "help";
  const unknown = positionals.find((name) => !catalogue.some((benchmark) => benchmark.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no benchmark "${unknown}"`);
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs >= 1 && runs <= 1000)) {
    throw new UsageError("--runs takes a number from 1 to 1000");
  }
  const chosen = catalogue.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  return { chosen, json: values.json, runs, strict: values.strict };
}

function read(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The text of `--help`. */
export function usage(catalogue: readonly Benchmark[]): string {
  const width = Math.max(...catalogue.map(({ name }) => name.length));
  const list = catalogue.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`);
  return `Usage: npm run bench -- [NAME...] [--json FILE] [--runs N] [--strict]

Measures Berth against its goals; without a NAME, everything. Build it first (npm run build).

  --json FILE  write the figures as JSON
  --runs N     measure N times and take the median
  --strict     exit with 1 when a goal is missed, not only when a benchmark fails

Benchmarks:
${list.join("\n")}
`;
}
