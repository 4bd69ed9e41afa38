import type { Use } from "@berth/protocol";
import type { ProcessFacts } from "./processes.ts";

/** What a look is judged by, beside the processes themselves. */
export interface Surroundings {
  /** Processes that were seen before, by `keyOf`, with their `workOf` then; and how long ago that was, in milliseconds. */
  readonly before: ReadonlyMap<string, number> | undefined;
  readonly elapsedMs: number;
  /** Claudes that say themselves what they do: they are judged by their word, and what they started goes with them. */
  readonly claudes: ReadonlySet<number>;
  /** Berth's own programs. */
  readonly own: ReadonlySet<number>;
}

/**
 * How much of a processor something must take to count as work. What people have begun in a terminal or by SSH: hardly
 * more than nothing, such as a download. A service of the system: more than its daily round.
 */
const shares = { begun: 0.005, service: 0.05 } as const;
/** Less than this is no measure, in ticks of a hundredth of a second. */
const leastTicks = 5;

/** What has a terminal and waits for somebody to type a command. */
const prompts = /^(?:-?(?:ba|z|da|fi|k|c|tc|a|mk)?sh|busybox|login|agetty|su|sudo|tmux: client|screen)$/;
/** Units whose processes people have begun. */
const begunUnits = /berth-pty-host\.service|\/user\.slice|session-[^/]*\.scope|\/sshd?[^/]*\.service|\/machine\.slice/;
/** Units of every container, and of what runs containers in it, which are told by their containers. */
const baseUnits =
  /\/(?:init\.scope|berth-[^/]*|systemd-[^/]*|dbus[^/]*|cron|getty[^/]*|[^/]*-getty[^/]*|docker|containerd|rsyslog|networking|apt-[^/]*|dpkg-[^/]*|logrotate|man-db|fstrim|e2scrub[^/]*|unattended-[^/]*|user@[^/]*)(?:\.service|\.scope|\.socket)?(?:\/|$)/;

const cron = /\/cron\.service/;

/** What tells a process from all others, also those of the same id before and after it. */
export function keyOf({ pid, started }: ProcessFacts): string {
  return `${pid} ${started}`;
}

/**
 * What a process has done, in ticks: that of its ended children is its work, too, since they may be short and many. Not
 * for `sshd`, whose children are the sessions: what somebody did in one who has left would be the listener's work then.
 */
export function workOf(process: ProcessFacts): number {
  return isSshd(process) ? process.ticks : process.ticks + process.childTicks;
}

/**
 * What the processes of a sandbox keep it awake by: a program that has a terminal, for as long as it has it, since what
 * waits for a network cannot be told from what is forgotten; anything else that takes processors; an SSH session; a
 * container. A shell at its prompt, a service that waits, and what a Claude that says what it does has started do not.
 * Pure.
 */
export function judgeProcesses(processes: readonly ProcessFacts[], surroundings: Surroundings): Use[] {
  const ofClaude = descendants(processes, surroundings.claudes);
  const others = processes.filter(({ pid }) => !ofClaude.has(pid) && !surroundings.own.has(pid));
  const begunBy = descendants(processes, surroundings.own);
  const uses: Use[] = [
    ...others.filter(hasTerminal).map(({ name }): Use => ({ kind: "program", detail: name })),
    ...others
      .filter((process) => isWorking(process, begunBy, surroundings))
      .map(({ name }): Use => ({ kind: "job", detail: name })),
  ];
  if (others.some(isSshSession)) uses.push({ kind: "ssh" });
  if (others.some(({ name }) => name.startsWith("containerd-shim") || name === "conmon"))
    uses.push({ kind: "container" });
  return uses;
}

/**
 * What was begun since an earlier look, whether or not it has taken a processor yet: by people, by `cron`, or by a service
 * that is not of every container. What the `ignored` have started is not. Pure.
 */
export function begunSince(
  processes: readonly ProcessFacts[],
  seen: ReadonlySet<string>,
  ignored: ReadonlySet<number>,
): Use[] {
  const theirs = descendants(processes, ignored);
  return processes
    .filter((process) => !seen.has(keyOf(process)) && !theirs.has(process.pid) && process.pid !== 1)
    .filter(({ unit }) => begunUnits.test(unit) || cron.test(unit) || !baseUnits.test(unit))
    .map(({ name }): Use => ({ kind: "job", detail: name }));
}

/** It is in the foreground of a terminal, and is not what waits there for a command. */
function hasTerminal({ terminal, foreground, group, name }: ProcessFacts): boolean {
  return terminal !== 0 && foreground === group && !prompts.test(name);
}

function isWorking(process: ProcessFacts, begunBy: ReadonlySet<number>, { before, elapsedMs }: Surroundings): boolean {
  // A user's own `systemd` inherits what others leave behind, and counts the time of all that as its own when it ends.
  if (process.name === "systemd") return false;
  // It listens, or somebody signs in, which takes it a moment's work; a session that is there is told by itself.
  if (isSshd(process) && !isSshSession(process)) return false;
  const then = before?.get(keyOf(process));
  // What was not there before is judged by all that it did, since it has done so meanwhile.
  const ticks = workOf(process) - (then ?? 0);
  if (before === undefined || ticks < leastTicks) return false;
  const begun = begunBy.has(process.pid) || process.unit === "" || begunUnits.test(process.unit);
  if (!begun && (process.pid === 1 || baseUnits.test(process.unit))) return false;
  return ticks * 10 >= elapsedMs * (begun ? shares.begun : shares.service);
}

/** OpenSSH's server: `sshd`, and the programs of its parts. */
function isSshd({ name }: ProcessFacts): boolean {
  return name.startsWith("sshd");
}

/** As `sshd` titles the process of somebody who has signed in. */
function isSshSession(process: ProcessFacts): boolean {
  return isSshd(process) && /^sshd[^:]*: \S+@(?:pts\/\d+|tty\S*|notty)/.test(process.commandLine);
}

/** The processes, and all that they have started and that has not ended. */
function descendants(processes: readonly ProcessFacts[], roots: ReadonlySet<number>): Set<number> {
  const found = new Set(roots);
  for (let grew = roots.size > 0; grew; ) {
    grew = false;
    for (const { pid, parent } of processes) {
      if (found.has(pid) || !found.has(parent)) continue;
      found.add(pid);
      grew = true;
    }
  }
  return found;
}
