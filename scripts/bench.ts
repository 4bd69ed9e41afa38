/** `npm run bench`: measures Berth against its goals. What there is: `scripts/bench/catalogue.ts`. */
import { writeFile } from "node:fs/promises";
import { catalogue } from "./bench/catalogue.ts";
import { type CommandLine, parseCommandLine, UsageError, usage } from "./bench/command-line.ts";
import { allMet, jsonReport, table } from "./bench/report.ts";
import { runAll } from "./bench/run.ts";

function readCommandLine(): CommandLine {
  try {
    const commandLine = parseCommandLine(process.argv.slice(2), catalogue);
    if (commandLine !== "help") return commandLine;
    process.stdout.write(usage(catalogue));
    process.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`bench: ${error.message}; try --help\n`);
    process.exit(2);
  }
}

const commandLine = readCommandLine();
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => interrupted.abort(new Error(signal)));
}
const startedAt = new Date();
const note = (line: string) => void process.stderr.write(`bench: ${line}\n`);
const outcomes = await runAll(commandLine, interrupted.signal, note);
if (outcomes.length > 0) process.stdout.write(`${table(outcomes)}\n`);
if (commandLine.json !== undefined) await writeFile(commandLine.json, jsonReport(startedAt, outcomes));
if (interrupted.signal.aborted) process.exit(130);
const failed = outcomes.some((outcome) => "error" in outcome);
process.exit(failed || (commandLine.strict && !allMet(outcomes)) ? 1 : 0);
