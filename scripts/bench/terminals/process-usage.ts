import { readdir, readFile } from "node:fs/promises";

/**
 * CPU time of a process in milliseconds, all its threads that live, from the scheduler: `/proc/PID/stat` would count
 * in ticks of 10 ms. Rejects when the process is gone.
 */
export async function cpuMs(pid: number): Promise<number> {
  const threads = await threadCpuMs(pid);
  return [...threads.values()].reduce((sum, ms) => sum + ms, 0);
}

/** The same by thread. */
export async function threadCpuMs(pid: number): Promise<Map<number, number>> {
  const threads = new Map<number, number>();
  for (const name of await readdir(`/proc/${pid}/task`)) {
    const text = await readFile(`/proc/${pid}/task/${name}/schedstat`, "utf8").catch(() => "0");
    threads.set(Number(name), Number(text.split(" ")[0]) / 1e6);
  }
  return threads;
}

/** Memory of a process that is its own, in bytes: what it shares with others, such as its program's file, is left out. */
export function ownBytes(pid: number): Promise<number> {
  return summedBytes(`/proc/${pid}/smaps_rollup`, ["Private_Clean", "Private_Dirty"]);
}

/** All memory of a process that is in use, in bytes, its program's file and what else it shares included. */
export function residentBytes(pid: number): Promise<number> {
  return summedBytes(`/proc/${pid}/status`, ["VmRSS"]);
}

/** The most that was in use since its start, in bytes. */
export function peakResidentBytes(pid: number): Promise<number> {
  return summedBytes(`/proc/${pid}/status`, ["VmHWM"]);
}

async function summedBytes(path: string, names: readonly string[]): Promise<number> {
  const text = await readFile(path, "utf8");
  const kilobytes = names.map((name) => {
    const [, value] = new RegExp(`^${name}:\\s+([0-9]+) kB$`, "m").exec(text) ?? [];
    if (value === undefined) throw new Error(`${path} has another form`);
    return Number(value);
  });
  return kilobytes.reduce((sum, value) => sum + value, 0) * 1024;
}
