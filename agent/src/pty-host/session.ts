import { readdir, readFile } from "node:fs/promises";

/**
 * Sends a signal to every process of a session (Linux: read from /proc), background jobs with a group of their own
 * included. Answers how many there were.
 */
export async function signalSession(sessionId: number, signal: NodeJS.Signals): Promise<number> {
  const members = await sessionMembers(sessionId);
  for (const pid of members) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
  return members.length;
}

async function sessionMembers(sessionId: number): Promise<number[]> {
  const entries = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name));
  const found = await Promise.all(
    entries.map(async (name) => ((await sessionOf(name)) === sessionId ? [Number(name)] : [])),
  );
  return found.flat();
}

async function sessionOf(pid: string): Promise<number | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    // The command's name is in parentheses and may hold anything: state, parent, group and session follow the last one.
    const [state, , , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? undefined : Number(session);
  } catch {
    return undefined;
  }
}
