import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { eventually } from "@berth/testkit";

const run = promisify(execFile);

/** The agent's command line. */
export const agentProgram = /^(berth-agent|\S+ \S+\/launch\.mjs agent)$/;
/** A session of the sandbox's sshd, but not the one that listens. */
export const sshConnection = /^sshd(-session)?: (?!\/)/;
/** The one that listens. */
export const sshListener = /^sshd: \//;

/** Sends those of these processes, and of what they have started, whose command line fits a signal, once there are such. */
export async function signalBelow(
  roots: readonly number[],
  pattern: RegExp,
  signal: NodeJS.Signals = "SIGKILL",
): Promise<void> {
  const found = await eventually(
    async () => {
      const { stdout } = await run("ps", ["-ww", "-eo", "pid=,ppid=,args="]);
      const rows = [...stdout.matchAll(/^ *(\d+) +(\d+) (.*)$/gm)].map(([, pid, parent, command = ""]) => ({
        ...{ pid: Number(pid), parent: Number(parent), command },
      }));
      const below = new Set(roots);
      for (let size = 0; size !== below.size; ) {
        size = below.size;
        for (const { pid, parent } of rows) if (below.has(parent)) below.add(pid);
      }
      const fitting = rows.filter(({ pid, command }) => below.has(pid) && pattern.test(command));
      return fitting.length > 0 && fitting;
    },
    { what: `a process like ${pattern}` },
  );
  for (const { pid } of found) process.kill(pid, signal);
}
