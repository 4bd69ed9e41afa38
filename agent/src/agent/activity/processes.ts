import { readdir, readFile } from "node:fs/promises";
import type { Root } from "../../root.ts";

/** What is read of a process, of the sandbox's own alone. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  /** The command's name, at most 15 bytes. */
  readonly name: string;
  readonly group: number;
  readonly session: number;
  /** The device of its terminal; 0: it has none. */
  readonly terminal: number;
  /** The group that its terminal's input goes to. */
  readonly foreground: number;
  /** Its own time on processors in the kernel's ticks, of which a second has a hundred. */
  readonly ticks: number;
  /** That of its children that have ended, in the same. */
  readonly childTicks: number;
  /** When it started, in the same: tells it from a later process of the same id. */
  readonly started: string;
  /** The control group's path; empty where a container is just processes. */
  readonly unit: string;
  /** For programs that say there what they do, such as `sshd`. */
  readonly commandLine: string;
}

/** Their command lines say what they are about. */
const telling = /^sshd/;
const commandLineBytes = 256;

/** Reads the processes of the sandbox: of the container, or, where it is a folder, those whose home lies in it. */
export async function readProcesses(root: Root): Promise<ProcessFacts[]> {
  const pids = (await readdir("/proc")).filter((name) => /^[1-9][0-9]*$/.test(name));
  const all: ProcessFacts[] = [];
  for (const pid of pids) {
    const facts = await readProcess(Number(pid), root);
    if (facts) all.push(facts);
  }
  return all;
}

async function readProcess(pid: number, root: Root): Promise<ProcessFacts | undefined> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const behindName = stat.lastIndexOf(")");
  const name = stat.slice(stat.indexOf("(") + 1, behindName);
  const fields = stat.slice(behindName + 2).split(" ");
  const number = (index: number) => Number(fields[index] ?? 0);
  if (root.isFolder && !(await isAtHome(pid, root))) return undefined;
  const unit = root.isFolder ? "" : ((await readIfThere(`/proc/${pid}/cgroup`)) ?? "");
  return {
    ...{ pid, name, parent: number(1), group: number(2), session: number(3), terminal: number(4) },
    ...{ foreground: number(5), ticks: number(11) + number(12), childTicks: number(13) + number(14) },
    started: fields[19] ?? "",
    unit: /^0::(.*)$/m.exec(unit)?.[1] ?? "",
    commandLine: telling.test(name) ? await commandLineOf(pid) : "",
  };
}

async function commandLineOf(pid: number): Promise<string> {
  const text = (await readIfThere(`/proc/${pid}/cmdline`)) ?? "";
  return text.slice(0, commandLineBytes).replaceAll("\0", " ").trim();
}

async function isAtHome(pid: number, root: Root): Promise<boolean> {
  const environment = await readIfThere(`/proc/${pid}/environ`);
  return environment?.split("\0").includes(`HOME=${root.home}`) ?? false;
}

/** Undefined for what has ended, or is not this user's to read. */
async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}
