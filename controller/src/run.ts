import { Scope, systemClock } from "@berth/base";
import { allDone } from "./all-done.ts";
import { openCluster } from "./cluster/open.ts";
import { readKeptConnection, removeDrafts, withConnection } from "./connection/kept.ts";
import { type BoundPorts, type RunEnd, runParts, WorkLost } from "./controller.ts";
import { takeDataDir } from "./data-dir.ts";
import { claimDatabase } from "./fleet/claim-database.ts";
import { loadFleetKeys } from "./fleet/keys.ts";
import { createLogger } from "./http/logger.ts";
import { Progress } from "./progress.ts";
import { settingsFromEnvironment } from "./settings/environment.ts";
import type { Settings } from "./settings/settings.ts";
import { openStore } from "./store/open.ts";

/** What a run has of those before it in the same process. */
export interface RunContext {
  /** It goes on where another one ended, and another one goes on where it ends: the embedded servers stay meanwhile. */
  readonly resumes: boolean;
  readonly ports: BoundPorts;
}

/**
 * Runs the controller until the signal aborts, or another Proxmox is to be used. Throws a `StartError` when something
 * outside keeps it from starting, and `WorkLost` when PostgreSQL or the bundled Proxmox went away under it. The embedded
 * servers are stopped with it, except where it is to run again: after `WorkLost`, and when it `resumes` from one.
 * Sandboxes do not suffer for that.
 */
export async function runController(signal: AbortSignal, { resumes, ports }: RunContext): Promise<RunEnd> {
  const progress = new Progress();
  const { settings: fromEnvironment, warnings } = settingsFromEnvironment();
  for (const warning of warnings) progress.step(`warning: ${warning}`);
  const { dataDir } = fromEnvironment;
  const servers = new Scope();
  const scope = new Scope();
  let leaveServers = resumes;
  let end: RunEnd = "stopped";
  let failure: { readonly error: unknown } | undefined;
  try {
    await takeDataDir(dataDir, scope);
    await removeDrafts(dataDir);
    const kept = await readKeptConnection(dataDir);
    const given = { settings: fromEnvironment, kept };
    const settings = withPorts(withConnection(fromEnvironment, kept), ports);
    const log = createLogger(settings.logLevel);
    const [keys, store, cluster] = await allDone([
      loadFleetKeys(dataDir),
      openStore(settings, { scope, servers, progress, log }),
      openCluster(settings, systemClock, { scope, servers, progress }),
    ]);
    await claimDatabase(store.db, keys.fleetId, dataDir);
    end = await runParts({ settings, given, ports, scope, progress, log, keys, store, cluster }, signal);
  } catch (error) {
    leaveServers ||= error instanceof WorkLost;
    // What the stopping itself interrupts is no failure.
    if (!signal.aborted) failure = { error };
  }
  if (signal.aborted) progress.step("stopping");
  else if (end === "moved") progress.step("another Proxmox is to be used: starting again");
  const stopsServers = signal.aborted || end === "moved" || !leaveServers;
  // What a release meets when the database is gone must neither hide why, nor keep the servers from being stopped.
  for (const owner of stopsServers ? [scope, servers] : [scope]) {
    await owner.dispose().catch((error: unknown) => {
      failure ??= { error };
    });
  }
  if (failure && end !== "moved") throw failure.error;
  // The next run meets what is left of it, and says what is in its way.
  if (failure) progress.step(`warning: not all could be stopped: ${String(failure.error)}`);
  return end;
}

function withPorts(settings: Settings, { console, agents }: BoundPorts): Settings {
  return { ...settings, port: settings.port || (console ?? 0), agentPort: settings.agentPort || (agents ?? 0) };
}
