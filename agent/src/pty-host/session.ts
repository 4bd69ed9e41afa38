import { readdir, readFile } from "node:fs/promises";
import { processStart } from "../machine.ts";

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

/** A session as it is written down: its id alone may be given again. */
export interface SessionMark {
  id: number;
  bootId: string;
  /** When the process that leads it started. */
  startTicks: string;
}

/** Marks the session that a process leads; undefined if it has ended already. */
export async function markSession(leader: number, bootId: string): Promise<SessionMark | undefined> {
  const startTicks = await processStart(leader);
  return startTicks === undefined ? undefined : { id: leader, bootId, startTicks };
}

/** Kills what is left of a session of this boot. While a member lives, its id is given to no other. */
export async function killSession(mark: SessionMark, bootId: string): Promise<void> {
  if (mark.bootId !== bootId) return;
  const leaderStart = await processStart(mark.id);
  if (leaderStart === undefined || leaderStart === mark.startTicks) await signalSession(mark.id, "SIGKILL");
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
