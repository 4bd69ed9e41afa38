import { readdirSync, readFileSync } from "node:fs";

/** One process, from `/proc`. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** Resident memory in pages. */
  readonly residentPages: number;
  /** Processor time in clock ticks. */
  readonly cpuTicks: number;
}

/** Bytes of a page and clock ticks of a second; Linux has these values on x86-64 and arm64. */
export const pageBytes = 4096;
export const ticksPerSecond = 100;

/** All live processes of the machine that can be seen. */
export function listProcesses(): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z" || fields[0] === "X") continue;
      entries.push({
        pid: Number(name),
        parent: Number(fields[1]),
        cpuTicks: Number(fields[11]) + Number(fields[12]),
        residentPages: Number(fields[21]),
      });
    } catch {
      // It ended between the two calls.
    }
  }
  return entries;
}

/** The processes below one, itself not included. */
export function descendantsOf(pid: number, processes: readonly ProcessEntry[]): ProcessEntry[] {
  const children = Map.groupBy(processes, (entry) => entry.parent);
  const found: ProcessEntry[] = [];
  const queue = [pid];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const child of children.get(next) ?? []) {
      found.push(child);
      queue.push(child.pid);
    }
  }
  return found;
}

/** The value of `BERTH_ROOT` that a process was started with; undefined when it has none or may not be looked at. */
export function rootOf(pid: number): string | undefined {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
    const found = /(?:^|\0)BERTH_ROOT=([^\0]*)/.exec(environment)?.[1];
    return found === undefined ? undefined : Buffer.from(found, "latin1").toString("utf8");
  } catch {
    return undefined;
  }
}
