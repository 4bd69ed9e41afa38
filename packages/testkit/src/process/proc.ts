import { readdir, readFile, readlink } from "node:fs/promises";

/** A process as /proc shows it. */
export interface ProcessFacts {
  readonly pid: number;
  readonly command: string;
}

/** The processes whose environment at their start had this variable with this value: for leak checks. Zombies are none. */
export async function processesWithEnvironment(key: string, value: string): Promise<ProcessFacts[]> {
  const wanted = `${key}=${value}`;
  return select(async (pid) => (await readProc(pid, "environ"))?.split("\0").includes(wanted) ?? false);
}

/** The processes that share a process's numbering: those of one container. Zombies have none. */
export async function processesInNamespaceOf(pid: number): Promise<ProcessFacts[]> {
  const wanted = await namespaceOf(pid);
  if (wanted === undefined) return [];
  return select(async (other) => (await namespaceOf(other)) === wanted);
}

async function namespaceOf(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => undefined);
}

/** The processes of a process group. Zombies are none. */
export async function processesInGroup(group: number): Promise<ProcessFacts[]> {
  return select(async (pid) => {
    const fields = await statFields(pid);
    return fields !== undefined && Number(fields[2]) === group && fields[0] !== "Z";
  });
}

async function select(matches: (pid: number) => Promise<boolean>): Promise<ProcessFacts[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      if (pid === process.pid || !(await matches(pid))) return undefined;
      return { pid, command: ((await readProc(pid, "cmdline")) ?? "").split("\0").join(" ").trim() };
    }),
  );
  return found.filter((facts) => facts !== undefined);
}

/** Fields of /proc/PID/stat behind the command's name: state, parent, group, session, … */
async function statFields(pid: number): Promise<string[] | undefined> {
  const stat = await readProc(pid, "stat");
  // The name is in parentheses and may hold any character, so count from the last one.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Undefined when the process is gone or belongs to somebody else. */
async function readProc(pid: number, file: string): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}
