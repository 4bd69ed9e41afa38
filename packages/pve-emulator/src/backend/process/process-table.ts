import { readdirSync, readFileSync, readlinkSync } from "node:fs";

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

/**
 * The `sshd` processes that hold a TCP socket on this local IPv4 address and port. Only sshd: a server of the machine
 * that listens on all addresses may have a connection by a container's address too, and is none of ours.
 */
export function sshServersOn(address: string, port: number, processes: readonly ProcessEntry[]): number[] {
  const inodes = socketInodes(address, port);
  if (inodes.size === 0) return [];
  return processes.map(({ pid }) => pid).filter((pid) => isSshd(pid) && holdsSocket(pid, inodes));
}

function isSshd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("sshd");
  } catch {
    return false;
  }
}

function socketInodes(address: string, port: number): Set<string> {
  const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, "0");
  // The kernel prints the address as one little-endian number.
  const parts = address.split(".").map((part) => hex(Number(part), 2));
  const local = `${parts.reverse().join("")}:${hex(port, 4)}`;
  const inodes = new Set<string>();
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local && fields[9] !== undefined && fields[9] !== "0") inodes.add(fields[9]);
  }
  return inodes;
}

function holdsSocket(pid: number, inodes: ReadonlySet<string>): boolean {
  const isOne = (descriptor: string) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false;
    }
  };
  try {
    return readdirSync(`/proc/${pid}/fd`).some(isOne);
  } catch {
    return false;
  }
}
