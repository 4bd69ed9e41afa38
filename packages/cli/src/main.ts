import { systemClock } from "@berth/base";
import { readEnvironment } from "./environment.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandFailed, interrupted } from "./failure.ts";
import { runProgram } from "./program.ts";

const stopped = new AbortController();

/** As shells have it: 128 and the signal's number. */
const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

for (const [name, exitCode] of Object.entries(signals)) {
  process.on(name, () => {
    // Somebody who asks twice does not want to wait for anything.
    if (stopped.signal.aborted) process.exit(exitCode);
    stopped.abort(name === "SIGINT" ? interrupted() : new CommandFailed(exitCode, "stopped", `Ended by ${name}.`));
  });
}

// A reader that has gone, such as `head`, ends the command as it ends others.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.ok);
  throw error;
});

const exitCode = await runProgram(process.argv.slice(2), {
  environment: readEnvironment(process.env, process.platform),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  signal: stopped.signal,
});
// Timers and sockets of an attached terminal may be under way still, and nobody waits for them.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write("", resolve));
process.exit(exitCode);
