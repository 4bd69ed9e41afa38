import { existsSync, readdirSync } from "node:fs";
import { readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@berth/base";
import { isErrno } from "@berth/base/node";
import type { RawLxcKey, ResourceLimits } from "../backend.ts";

const root = "/sys/fs/cgroup";
/** More than a sandbox of compilers and containers needs; less than what takes the machine down. */
const maxProcesses = 16_384;
const cpuPeriodUs = 100_000;
const mebibyte = 1024 * 1024;
const killTimeoutMs = 20_000;
const pollMs = 10;

/** Version 2 alone, or version 1 with or without version 2 beside it. */
export function cgroupVersion(): 1 | 2 {
  return existsSync(join(root, "cgroup.controllers")) ? 2 : 1;
}

/** One file of a control group: its controller in version 1, its name, its contents. */
type Setting = readonly [controller: string, file: string, value: string];

/** What of control groups a machine has. */
export interface CgroupFeatures {
  readonly version: 1 | 2;
  readonly countsSwap: boolean;
}

/** The limits as files of control groups, in the order in which a container that runs takes them. */
function settingsOf({ memoryMiB, swapMiB, cores }: ResourceLimits, features: CgroupFeatures): Setting[] {
  const memory = memoryMiB * mebibyte;
  const swap = swapMiB * mebibyte;
  const quotaUs = cores === undefined ? undefined : cores * cpuPeriodUs;
  if (features.version === 2) {
    return [
      ["memory", "memory.max", String(memory)],
      ...(features.countsSwap ? [["memory", "memory.swap.max", String(swap)] as const] : []),
      ["cpu", "cpu.max", `${quotaUs ?? "max"} ${cpuPeriodUs}`],
      ["pids", "pids.max", String(maxProcesses)],
    ];
  }
  return [
    ["memory", "memory.limit_in_bytes", String(memory)],
    // Memory and swap together, and never below the former.
    ...(features.countsSwap ? [["memory", "memory.memsw.limit_in_bytes", String(memory + swap)] as const] : []),
    ["cpu", "cpu.cfs_period_us", String(cpuPeriodUs)],
    ["cpu", "cpu.cfs_quota_us", String(quotaUs ?? -1)],
    ["pids", "pids.max", String(maxProcesses)],
  ];
}

function featuresHere(): CgroupFeatures {
  return { version: cgroupVersion(), countsSwap: countsSwap() };
}

/** Whether the kernel counts who uses swap: it may have been told at its start not to. */
function countsSwap(): boolean {
  if (cgroupVersion() === 1) return existsSync(join(root, "memory/memory.memsw.limit_in_bytes"));
  // The root group has no limits; any other one shows which there are.
  const groups = readdirSync(root).map((name) => join(root, name));
  const limited = groups.find((group) => existsSync(join(group, "memory.max")));
  return limited === undefined || existsSync(join(limited, "memory.swap.max"));
}

/** The keys of a container's configuration that set its limits. */
export function limitKeys(limits: ResourceLimits, features: CgroupFeatures = featuresHere()): RawLxcKey[] {
  const family = features.version === 2 ? "lxc.cgroup2" : "lxc.cgroup";
  return settingsOf(limits, features).map(([, file, value]) => [`${family}.${file}`, value]);
}

/** Changes the limits of a container that runs. Throws when one cannot be had, as when it uses more memory already. */
export async function changeLimits(name: string, limits: ResourceLimits): Promise<void> {
  const write = async ([controller, file, value]: Setting) => {
    await writeFile(join(groupPath(controller, `lxc.payload.${name}`), file), value);
  };
  // Memory may never exceed the sum of memory and swap: what is refused on the way up works in the second round.
  const refused: Setting[] = [];
  for (const setting of settingsOf(limits, featuresHere())) await write(setting).catch(() => refused.push(setting));
  for (const setting of refused) {
    await write(setting).catch((cause: unknown) => {
      throw new Error(`${setting[1]} cannot become ${setting[2]} now: ${String(cause)}`, { cause });
    });
  }
}

export interface GroupUsage {
  readonly memoryBytes: number;
  /** Time on processors since the container's start. */
  readonly cpuUs: number;
}

/** What a container uses; nothing when it does not run. */
export async function readUsage(name: string): Promise<GroupUsage> {
  const group = `lxc.payload.${name}`;
  const read = (controller: string, file: string) =>
    readFile(join(groupPath(controller, group), file), "utf8").catch(() => "");
  const v2 = cgroupVersion() === 2;
  const [memory, statistics, cpu] = await Promise.all([
    read("memory", v2 ? "memory.current" : "memory.usage_in_bytes"),
    read("memory", "memory.stat"),
    v2 ? read("cpu", "cpu.stat") : read("cpuacct", "cpuacct.usage"),
  ]);
  // Cached files that nobody has open count as free, as everywhere.
  const reclaimable = fieldOf(statistics, v2 ? "inactive_file" : "total_inactive_file");
  const cpuUs = v2 ? fieldOf(cpu, "usage_usec") : Number(cpu) / 1000;
  return { memoryBytes: Math.max(0, Number(memory) - reclaimable), cpuUs };
}

function fieldOf(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

/** Pids of LXC's monitor of a container, or of all that runs in it. */
export async function processesOf(kind: "monitor" | "payload", name: string): Promise<number[]> {
  const groups = await groupsOf(kind, name);
  const lists = await Promise.all(groups.map(pidsBelow));
  return [...new Set(lists.flat())];
}

/** The names of all containers of this prefix that have control groups, whether anything runs in them or not. */
export async function namesOfGroups(prefix: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (const hierarchy of await hierarchies()) {
    for (const entry of await readdir(hierarchy).catch(() => [])) {
      const [, name] = /^lxc\.(?:monitor|payload)\.(.+)$/.exec(entry) ?? [];
      if (name?.startsWith(`${prefix}-`)) names.add(name);
    }
  }
  return names;
}

/** Kills whatever is left of a container, its monitor too, and removes its control groups. */
export async function sweep(name: string): Promise<void> {
  const deadline = performance.now() + killTimeoutMs;
  while (true) {
    const pids = [...(await processesOf("monitor", name)), ...(await processesOf("payload", name))];
    if (pids.length === 0) break;
    if (performance.now() > deadline) throw new Error(`processes of ${name} survive SIGKILL: ${pids.join(", ")}`);
    for (const pid of pids) kill(pid);
    await systemClock.sleep(pollMs);
  }
  for (const kind of ["monitor", "payload"] as const) {
    for (const group of await groupsOf(kind, name)) await removeGroup(group);
  }
}

async function groupsOf(kind: "monitor" | "payload", name: string): Promise<string[]> {
  const groups = (await hierarchies()).map((hierarchy) => join(hierarchy, `lxc.${kind}.${name}`));
  return groups.filter((group) => existsSync(group));
}

async function hierarchies(): Promise<string[]> {
  if (cgroupVersion() === 2) return [root];
  return (await readdir(root)).map((name) => join(root, name));
}

const groupPath = (controller: string, group: string) =>
  cgroupVersion() === 2 ? join(root, group) : join(root, controller, group);

async function pidsBelow(group: string): Promise<number[]> {
  const own = await readFile(join(group, "cgroup.procs"), "utf8").catch(() => "");
  const inner = await Promise.all((await childrenOf(group)).map(pidsBelow));
  return [...own.split("\n").filter(Boolean).map(Number), ...inner.flat()];
}

async function childrenOf(group: string): Promise<string[]> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(group, entry.name));
}

async function removeGroup(group: string): Promise<void> {
  for (const child of await childrenOf(group)) await removeGroup(child);
  try {
    await rmdir(group);
  } catch (error) {
    if (!isErrno(error, "ENOENT") && !isErrno(error, "EBUSY")) throw error;
  }
}

function kill(pid: number): void {
  // 0 is a process of a namespace that this one does not see, and would be this process's own group.
  if (pid <= 1) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}
