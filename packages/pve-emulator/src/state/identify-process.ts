import { readFileSync } from "node:fs";

/** A process, told from any later one that got the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Boot id of the machine and start of the process in clock ticks since then. */
  readonly started: string;
}

/** The identity of a process that runs now; undefined when there is none, or only its zombie. Reads `/proc`. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name may hold spaces and parentheses: the fields begin after the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTicks] = [fields[0], fields[19]];
    return state === "Z" || state === "X" ? undefined : { pid, started: `${bootId()}:${startTicks}` };
  } catch {
    return undefined;
  }
}

/** Whether exactly this process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.started === identity.started;
}

let knownBootId: string | undefined;

function bootId(): string {
  knownBootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return knownBootId;
}
