import { systemClock } from "@berth/base";
import { sshPort } from "./guest-files.ts";
import { descendantsOf, listProcesses, rootOf, sshServersOn } from "./process-table.ts";

/** Where a container's processes are found. */
export interface SweepTarget {
  readonly root: string;
  /** Its init, if that is known to be alive. */
  readonly init?: number;
  readonly address?: string;
}

const passMs = 15;
const maxPasses = 300;

/**
 * Kills all processes of a container, and resolves when none is left. They are found below its init, by the root in
 * their environment (terminals start sessions of their own), and by sockets on its address (sshd overwrites its own
 * environment). Only the first pass knows init's descendants: init goes in it too, so that it restarts nothing.
 */
export async function killContainer(target: SweepTarget): Promise<void> {
  const first = listProcesses();
  const below = target.init === undefined ? [] : descendantsOf(target.init, first).map(({ pid }) => pid);
  const known = new Set(target.init === undefined ? below : [target.init, ...below]);
  for (let pass = 0; pass < maxPasses; pass += 1) {
    const processes = pass === 0 ? first : listProcesses();
    const alive = new Set(processes.map(({ pid }) => pid));
    const victims = new Set([...known].filter((pid) => alive.has(pid)));
    for (const { pid } of processes) if (rootOf(pid) === target.root && pid !== process.pid) victims.add(pid);
    if (target.address) for (const pid of sshServersOn(target.address, sshPort, processes)) victims.add(pid);
    if (victims.size === 0) return;
    for (const pid of victims) kill(pid);
    await systemClock.sleep(passMs);
  }
  throw new Error(`processes of ${target.root} survive SIGKILL`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already, or not ours.
  }
}
