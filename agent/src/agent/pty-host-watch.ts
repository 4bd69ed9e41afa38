import { join } from "node:path";
import type { Clock } from "@berth/base";
import { isProcessIdentity, isRunning, type ProcessIdentity, readTextIfExists } from "@berth/base/node";
import { parseJson } from "@berth/protocol";
import type { Log } from "../log.ts";
import { ptyHostIdentityName } from "../machine.ts";

/**
 * The agent is the PTY host's watchdog (why not systemd: `template/src/units.ts`). Twelve looks are two minutes, four
 * when each waits for its answer in vain: to end a host ends all its terminals, so a slow one is given time.
 */
const lookMs = 10_000;
const maxSilentLooks = 12;

export interface PtyHostWatchOptions {
  /** Any call of the PTY host; rejects when it does not answer in time. Resolves, too, while none is wanted. */
  ask(): Promise<unknown>;
  /** Ends the PTY host for its supervisor to start it anew; answers whether one runs. */
  kill(): Promise<boolean>;
  clock: Clock;
  log: Log;
}

/**
 * Kills a PTY host that does not answer any more, until aborted. Counts its own looks, not time: in a container that
 * is frozen both stand still.
 */
export async function watchPtyHost({ ask, kill, clock, log }: PtyHostWatchOptions, signal: AbortSignal): Promise<void> {
  for (let silentLooks = 0; !signal.aborted; ) {
    await clock.sleep(lookMs, signal).catch(() => {});
    if (signal.aborted) return;
    const answered = await ask().then(
      () => true,
      () => false,
    );
    silentLooks = answered ? 0 : silentLooks + 1;
    if (silentLooks < maxSilentLooks || signal.aborted) continue;
    silentLooks = 0;
    if (await kill()) log.error("the PTY host did not answer for minutes and was killed");
  }
}

/** Kills the PTY host that serves a folder; answers whether there was one. */
export async function killPtyHost(folder: string): Promise<boolean> {
  const host = await ptyHostIdentity(folder);
  if (!host || !isRunning(host)) return false;
  process.kill(host.pid, "SIGKILL");
  return true;
}

/** Which process the PTY host that serves a folder is, or was; undefined if there never was one. */
export async function ptyHostIdentity(folder: string): Promise<ProcessIdentity | undefined> {
  const identity = parseJson((await readTextIfExists(join(folder, ptyHostIdentityName))) ?? "");
  return isProcessIdentity(identity) ? identity : undefined;
}
