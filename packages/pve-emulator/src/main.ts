import { isErrno } from "@berth/base/node";
import { type CommandLine, parseCommandLine, usage } from "./command-line.ts";
import { type RunningEmulator, startEmulator } from "./emulator.ts";
import type { EmulatorFacts } from "./emulator-facts.ts";

const say = (line: string) => void process.stderr.write(`emulator: ${line}\n`);

async function main(): Promise<void> {
  let settings: CommandLine | "help";
  try {
    settings = parseCommandLine(process.argv.slice(2));
  } catch (error) {
    say(`${sentence(error)}; try --help`);
    process.exit(2);
  }
  if (settings === "help") {
    process.stdout.write(usage);
    return;
  }
  const stopped = stopSignal();
  try {
    const emulator = await startEmulator({ ...settings, report: say });
    // The JSON line is the only one on the standard output; somebody may be gone who read it.
    process.stdout.on("error", () => {});
    process.stdout.write(`${JSON.stringify(factsOf(emulator))}\n`);
    say(`ready at ${emulator.url}`);
    say(`${await stopped}: stopping the containers`);
    await emulator[Symbol.asyncDispose]();
    process.exit(0);
  } catch (error) {
    say(explain(error, settings));
    process.exit(1);
  }
}

function factsOf(emulator: RunningEmulator): EmulatorFacts {
  const { [Symbol.asyncDispose]: _dispose, control: _control, ...facts } = emulator;
  return facts;
}

/** Resolves with the first signal that ends the emulator; a second one does not wait for containers. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (asked && signal === "SIGINT") process.exit(130);
        asked = true;
        resolve(signal);
      });
    }
  });
}

function explain(error: unknown, settings: CommandLine): string {
  if (isErrno(error, "EADDRINUSE"))
    return `port ${settings.port} is in use: give another --port, or 0 for any free one`;
  if (isErrno(error, "EACCES") || isErrno(error, "EROFS") || isErrno(error, "EPERM")) {
    return `${settings.dataDir} or the port may not be used (${sentence(error)}): choose another --data or --port`;
  }
  return sentence(error);
}

const sentence = (error: unknown) => (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";

await main();
