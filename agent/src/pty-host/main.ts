import { join } from "node:path";
import { identifyProcess, writeFileAtomic } from "@berth/base/node";
import { checkAnswer, checkArgument } from "../check.ts";
import { createLog, errorText } from "../log.ts";
import { bootId, ptyHostIdentityName } from "../machine.ts";
import { guestPath, nameProcess, rootOf } from "../root.ts";
import { becomeProgram, checkProgram, occupyLowDescriptors, takeOver } from "./handover.ts";
import { PtyHost } from "./host.ts";
import { MemoryReturn } from "./memory-return.ts";
import { adoptPty, spawnPty } from "./pty.ts";
import { HostAlreadyRuns, inheritedSocket, lockFolder, serve } from "./server.ts";

const log = createLog("pty-host");
/** Time for an answer to leave before its connection ends. */
const answerMs = 20;

async function main(): Promise<void> {
  if (process.argv[2] === checkArgument) {
    process.stdout.write(`${checkAnswer.ptyHost}\n`);
    return;
  }
  occupyLowDescriptors();
  const root = rootOf(process.env);
  nameProcess(root, "berth-pty-host");
  const run = guestPath(root, "run");
  // First, since a second host must not touch the first one's files.
  await lockFolder(run);
  // Soon, since from then on the agent can tell a host that is stuck.
  await writeFileAtomic(join(run, ptyHostIdentityName), JSON.stringify(identifyProcess(process.pid)));
  const memory = new MemoryReturn();
  const host = new PtyHost({
    folder: guestPath(root, "terminals"),
    spawn: spawnPty,
    log,
    bootId: await bootId(root),
    succession: {
      adopt: adoptPty,
      begin: async (program) => {
        await checkProgram(program);
        // After the answer has gone out.
        setTimeout(() => void handOver(program), answerMs);
      },
    },
    onRest: (bytes) => memory.gaveUp(bytes),
    settingsFile: guestPath(root, "ptyHostSettings"),
  });
  await host.load(await takeOver(run));
  const serving = await serve(host, run, log, inheritedSocket(process.env));
  let stopping = false;
  const surroundings = { folder: run, environment: process.env };
  const handOver = async (program: string) => {
    log.info("the PTY host is replaced by another version", { program });
    serving.pause();
    try {
      await host.handOver((terminals) => {
        // The next program would know nothing of it.
        if (stopping) throw new Error("the host stops");
        return becomeProgram(program, surroundings, terminals);
      });
    } catch (error) {
      log.error("the PTY host could not be replaced", { reason: errorText(error) });
      serving.resume();
    }
  };
  log.info("the PTY host serves", { pid: process.pid });
  const stop = async (signal: string) => {
    log.info("the PTY host ends its terminals", { signal });
    await serving.stop();
    await host.end();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      void stop(signal);
    });
  }
}

main().catch((error: unknown) => {
  log.error(error instanceof HostAlreadyRuns ? error.message : "the PTY host could not start", {
    reason: errorText(error),
  });
  process.exit(1);
});
