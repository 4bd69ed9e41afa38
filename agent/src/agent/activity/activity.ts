import { readFile } from "node:fs/promises";
import { after, type Clock } from "@berth/base";
import type { AgentActivity, TerminalStatus, Use } from "@berth/protocol";
import { errorText, type Log } from "../../log.ts";
import type { Root } from "../../root.ts";
import type { KnownClaudes } from "../attention/claude-watch.ts";
import { begunSince, judgeProcesses, keyOf, workOf } from "./judge.ts";
import { type ProcessFacts, readProcesses } from "./processes.ts";

export interface ActivityOptions {
  readonly root: Root;
  /** Berth's own programs in the sandbox. */
  ownProcesses(): Promise<ReadonlySet<number>>;
  claudes(): KnownClaudes;
  /** Looks at what Claudes say of themselves. Never rejects. */
  lookAtClaudes(): Promise<void>;
  onChange(activity: AgentActivity): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often the processes are looked at, in milliseconds: not at all while nothing in the container runs. */
const lookMs = 30_000;
/** What has just been started, or ended, is looked at after so long, in milliseconds. */
const settleMs = 1_000;
/** A measure of processors' time needs so long; looks that come sooner measure from the same beginning. */
const measureMs = 10_000;
/** So long a terminal that printed counts as printing. */
const outputMs = 45_000;
/** Below this share of one processor, and with as many processes as before, nothing can have begun. */
const quietShare = 0.004;
const limits = { uses: 16, detailCharacters: 64 } as const;

/** What a container has used of processors so far, in microseconds, and how many tasks it has. */
interface Usage {
  readonly usec: number;
  readonly tasks: string;
}

/** Knows what uses the sandbox: its Claudes, its terminals, and the other processes in it. */
export class Activity {
  readonly #options: ActivityOptions;
  readonly #offsets = new Map<string, string>();
  #outputAt = Number.NEGATIVE_INFINITY;
  #processUses: Use[] = [];
  #processes: readonly ProcessFacts[] = [];
  /** The processes, by `keyOf`, that there were when it was last asked. */
  #seenWhenAsked: ReadonlySet<string> | undefined;
  #measured: { readonly at: number; readonly ticks: ReadonlyMap<string, number> } | undefined;
  #usage: (Usage & { readonly at: number }) | undefined;
  #lastUsedAt: number;
  #callOff = () => {};
  #told = "";
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ActivityOptions) {
    this.#options = options;
    this.#lastUsedAt = options.clock.now();
  }

  /** What uses it, as far as is known now. */
  current(): AgentActivity {
    const now = this.#options.clock.now();
    const uses = this.#uses(now);
    if (uses.length > 0) this.#lastUsedAt = now;
    return { uses, idleMs: Math.max(0, Math.round(now - this.#lastUsedAt)) };
  }

  /**
   * Looks at everything anew; once at a time. `again`: what was begun since the last such look is in use as well, of which
   * nobody can say yet what it will do.
   */
  async fresh(again = false): Promise<AgentActivity> {
    const seen = this.#seenWhenAsked;
    await this.#look();
    this.#seenWhenAsked = new Set(this.#processes.map(keyOf));
    const begun = again && seen ? begunSince(this.#processes, seen, this.#ignored()) : [];
    const known = this.current();
    const uses = distinct([...begun, ...known.uses]).slice(0, limits.uses);
    // Told by the answer, so that what of it is over is told of next.
    this.#told = JSON.stringify(uses);
    if (begun.length === 0) return known;
    this.#lastUsedAt = this.#options.clock.now();
    return { uses, idleMs: 0 };
  }

  /** Something that it knows of may have changed: tells it on, if it has. */
  reconsider(): void {
    const activity = this.current();
    const uses = JSON.stringify(activity.uses);
    if (uses === this.#told) return;
    this.#told = uses;
    this.#options.onChange(activity);
  }

  /** What runs may be something else than it was at the last look: looks again when it has settled. */
  lookSoon(): void {
    const { clock } = this.#options;
    this.#callOff();
    this.#callOff = after(clock, settleMs, () => void this.#look().then(() => this.reconsider()));
  }

  /**
   * The terminals as the PTY host has them: one that has printed since is in use, but for a Claude, who says what it does.
   * Answers whether such a one has printed.
   */
  noteTerminals(statuses: readonly TerminalStatus[]): boolean {
    let claudePrinted = false;
    const { claudes, clock } = this.#options;
    const { attention } = claudes();
    for (const { id, epoch, offset } of statuses) {
      const at = `${epoch}:${offset}`;
      const before = this.#offsets.get(id);
      this.#offsets.set(id, at);
      if (before === undefined || before === at) continue;
      if (attention.has(id)) claudePrinted = true;
      else this.#outputAt = clock.now();
    }
    const there = new Set(statuses.map(({ id }) => id));
    for (const id of this.#offsets.keys()) if (!there.has(id)) this.#offsets.delete(id);
    return claudePrinted;
  }

  /** Looks now and then, until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    signal.addEventListener("abort", () => this.#callOff(), { once: true });
    while (!signal.aborted) {
      if (!(await this.#isQuiet())) {
        await this.#options.lookAtClaudes();
        await this.#look();
      }
      this.reconsider();
      await clock.sleep(lookMs, signal).catch(() => {});
    }
  }

  #uses(now: number): Use[] {
    const { attention, scheduled, sessions } = this.#options.claudes();
    const doing = new Set(attention.values());
    for (const { terminalId, status } of sessions) {
      // One that has not said yet what it does may do anything.
      if (status === undefined) doing.add("working");
      // Of those outside of Berth's terminals only their own word is known.
      else if (terminalId === undefined && status !== "idle") doing.add(status === "waiting" ? "waiting" : "working");
    }
    const uses: Use[] = [];
    if (doing.has("working")) uses.push({ kind: "claude" });
    if (doing.has("waiting")) uses.push({ kind: "claude-waiting" });
    if (scheduled.size > 0) uses.push({ kind: "claude-scheduled" });
    if (now - this.#outputAt < outputMs) uses.push({ kind: "output" });
    return [...uses, ...this.#processUses].slice(0, limits.uses);
  }

  #look(): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#judge())
      .catch((error: unknown) => {
        this.#options.log.warn("the processes could not be looked at", { reason: errorText(error) });
      });
    return this.#looking;
  }

  async #judge(): Promise<void> {
    const { root, clock, ownProcesses } = this.#options;
    const processes = await readProcesses(root);
    this.#processes = processes;
    const now = clock.now();
    const found = judgeProcesses(processes, {
      before: this.#measured?.ticks,
      elapsedMs: Math.max(1, now - (this.#measured?.at ?? now)),
      claudes: this.#claudes(),
      own: await ownProcesses(),
    });
    this.#processUses = distinct(found);
    if (this.#measured === undefined || now - this.#measured.at >= measureMs) {
      this.#measured = { at: now, ticks: ticksOf(processes) };
    }
  }

  /** Claudes that say themselves what they do. */
  #claudes(): Set<number> {
    return new Set(this.#options.claudes().sessions.map(({ pid }) => pid));
  }

  /** Whose children say nothing: Claudes, and the agent, which looks at git, for one. */
  #ignored(): Set<number> {
    return this.#claudes().add(process.pid);
  }

  /** Whether nothing can have changed since the last look: what is in use is looked at again in any case. */
  async #isQuiet(): Promise<boolean> {
    const before = this.#usage;
    const read = this.#options.root.isFolder ? undefined : await readUsage();
    const now = this.#options.clock.now();
    this.#usage = read && { ...read, at: now };
    if (!before || !read || this.#processUses.length > 0) return false;
    const share = (read.usec - before.usec) / 1000 / Math.max(1, now - before.at);
    return share < quietShare && read.tasks === before.tasks;
  }
}

function ticksOf(processes: readonly ProcessFacts[]): Map<string, number> {
  return new Map(processes.map((process) => [keyOf(process), workOf(process)]));
}

/** Each once, with a name that is fit to be told. */
function distinct(uses: readonly Use[]): Use[] {
  const seen = new Map<string, Use>();
  for (const { kind, detail } of uses) {
    const use: Use = detail === undefined ? { kind } : { kind, detail: detail.slice(0, limits.detailCharacters) };
    seen.set(JSON.stringify(use), use);
  }
  return [...seen.values()];
}

/** Of the container as its control group counts; undefined where that does not tell. */
async function readUsage(): Promise<Usage | undefined> {
  try {
    const [cpu, tasks] = await Promise.all([
      readFile("/sys/fs/cgroup/cpu.stat", "utf8"),
      readFile("/sys/fs/cgroup/pids.current", "utf8"),
    ]);
    const usec = /^usage_usec (\d+)$/m.exec(cpu)?.[1];
    return usec === undefined ? undefined : { usec: Number(usec), tasks };
  } catch {
    return undefined;
  }
}
