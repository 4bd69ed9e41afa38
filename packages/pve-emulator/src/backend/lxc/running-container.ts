import { readFileSync } from "node:fs";
import { systemClock } from "@berth/base";
import { identifyProcess, isRunning, type ProcessIdentity } from "@berth/base/node";
import { processesOf } from "./cgroups.ts";
import { run } from "./command.ts";
import { lxcPath } from "./start-script.ts";

/** The processes that a container of LXC consists of, seen from the machine. */
export interface LxcProcesses {
  /** LXC's own: it waits for init, cleans up, and ends last. */
  readonly monitor: ProcessIdentity;
  readonly init: ProcessIdentity;
  /** Of init, in milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
}

const pollMs = 5;
const maxQuestions = 10;
const questionPauseMs = 100;

/** The processes of a container, if it runs. */
export async function findLxcProcesses(name: string): Promise<LxcProcesses | undefined> {
  const monitors = (await processesOf("monitor", name)).filter((pid) => titleOf(pid).includes(`[lxc monitor]`));
  const monitor = monitors[0] === undefined ? undefined : identifyProcess(monitors[0]);
  if (!monitor) return undefined;
  const init = await initOf(name, monitor);
  return init && { monitor, init, startedAtMs: startOf(init) };
}

/** Asks the monitor, which may be busy: a container must not be taken for dead because of that. */
async function initOf(name: string, monitor: ProcessIdentity): Promise<ProcessIdentity | undefined> {
  for (let attempt = 0; attempt < maxQuestions && isRunning(monitor); attempt += 1) {
    if (attempt > 0) await systemClock.sleep(questionPauseMs);
    const pid = await run("lxc-info", ["-P", lxcPath, "-n", name, "-p", "-H"]).then(Number, () => 0);
    const init = pid > 0 ? identifyProcess(pid) : undefined;
    if (init) return init;
  }
  return undefined;
}

/** Resolves with whether a process has ended within this time; false too when the wait was aborted. */
export async function untilEnded(identity: ProcessIdentity, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isRunning(identity)) {
    if (performance.now() > deadline || signal?.aborted) return false;
    await systemClock.sleep(pollMs);
  }
  return true;
}

/** Sends a signal, by number too, to exactly this process. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals | number): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // It ended meanwhile.
  }
}

/** Whether a process waits for a signal by reading it, as systemd does, rather than dying of it or not hearing it. */
export function blocks(pid: number, signal: number): boolean {
  try {
    const [, mask = "0"] = /^SigBlk:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
  } catch {
    return false;
  }
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Linux counts a process's start in hundredths of a second since the machine's own. */
const ticksPerSecond = 100;

function startOf({ started }: ProcessIdentity): number {
  const ticks = Number(started.slice(started.lastIndexOf(":") + 1));
  const [, boot = "0"] = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8")) ?? [];
  return Number(boot) * 1000 + (ticks * 1000) / ticksPerSecond;
}
