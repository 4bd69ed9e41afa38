import { backoffMs, systemClock } from "@berth/base";
import { type BoundPorts, WorkLost } from "./controller.ts";
import { runController } from "./run.ts";
import { StartError } from "./settings/start-error.ts";

/** A sentence for people where the cause is known, and the stack where it is a bug. */
function textOf(error: unknown): string {
  if (error instanceof StartError || error instanceof WorkLost) return `berth: ${error.message}`;
  return (error instanceof Error && error.stack) || String(error);
}

// Nobody may read any more: a terminal that is closed, a pipe whose reader ended. That keeps nobody from an orderly stop.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // A second one is impatience: the first is on its way.
    if (!stopping.signal.aborted) stopping.abort(new Error(signal));
  });
}

/**
 * A server that went away comes back, by its own supervisor or by our next start: then the work goes on. Whatever keeps
 * a run after that from working may pass, such as a server that goes away again while it starts; at the first start it
 * is for a person to mend.
 */
async function runUntilStopped(signal: AbortSignal): Promise<void> {
  const ports: BoundPorts = {};
  let resumes = false;
  // Also when it is told to stop while it waits: the servers that a lost run has left are for another run to stop.
  for (let losses = 0; ; losses += 1) {
    try {
      const end = await runController(signal, { resumes, ports });
      if (end === "stopped") return;
      resumes = true;
      losses = 0;
      continue;
    } catch (error) {
      if (!resumes && !(error instanceof WorkLost)) throw error;
      resumes = true;
      process.stderr.write(`${textOf(error)} Trying again.\n`);
    }
    await systemClock.sleep(backoffMs(Math.min(losses, 10), { firstMs: 500, maxMs: 10_000 }), signal).catch(() => {});
  }
}

try {
  await runUntilStopped(stopping.signal);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${textOf(error)}\n`);
  process.exit(1);
}
