import { join } from "node:path";
import { identifyProcess, writeFileAtomic } from "@berth/base/node";
import { createLog, errorText } from "../log.ts";
import { bootId, ptyHostIdentityName } from "../machine.ts";
import { guestPath, nameProcess, rootOf } from "../root.ts";
import { PtyHost } from "./host.ts";
import { spawnPty } from "./pty.ts";
import { HostAlreadyRuns, inheritedSocket, lockFolder, serve } from "./server.ts";

const log = createLog("pty-host");

async function main(): Promise<void> {
  const root = rootOf(process.env);
  nameProcess(root, "berth-pty-host");
  const run = guestPath(root, "run");
  // First, since a second host must not touch the first one's files.
  await lockFolder(run);
  // Soon, since from then on the agent can tell a host that is stuck.
  await writeFileAtomic(join(run, ptyHostIdentityName), JSON.stringify(identifyProcess(process.pid)));
  const host = new PtyHost({
    folder: guestPath(root, "terminals"),
    spawn: spawnPty,
    log,
    bootId: await bootId(root),
  });
  await host.load();
  const stopServing = await serve(host, run, log, inheritedSocket(process.env));
  log.info("the PTY host serves", { pid: process.pid });
  const stop = async (signal: string) => {
    log.info("the PTY host ends its terminals", { signal });
    await stopServing();
    await host.end();
    process.exit(0);
  };
  let stopping = false;
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
