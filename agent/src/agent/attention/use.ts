import { join } from "node:path";
import type { Clock } from "@berth/base";
import type { AgentActivity, TerminalStatus } from "@berth/protocol";
import type { Log } from "../../log.ts";
import { guestPath, type Root } from "../../root.ts";
import { Activity } from "../activity/activity.ts";
import { ptyHostIdentity } from "../pty-host-watch.ts";
import { ClaudeWatch } from "./claude-watch.ts";

export interface SandboxUseOptions {
  readonly root: Root;
  /** The terminals that there are. */
  terminalIds(): Iterable<string>;
  sessionsFolder(): string;
  /** What Claude does in these terminals has changed. */
  onAttention(terminalIds: readonly string[]): void;
  onActivity(activity: AgentActivity): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** What Claude does in the terminals, and what uses the sandbox, put together. */
export class SandboxUse {
  /** Where Claude's hooks say what it does. */
  readonly hooksFolder: string;
  readonly #claudes: ClaudeWatch;
  /** Which life of which terminal is known to have begun, or ended. */
  readonly #lives = new Map<string, string>();
  #sessions = "";
  readonly #activity: Activity;

  constructor(options: SandboxUseOptions) {
    const { root, clock, log } = options;
    const run = guestPath(root, "run");
    this.hooksFolder = join(run, "claude");
    this.#claudes = new ClaudeWatch({
      ...options,
      folder: this.hooksFolder,
      onChange: (changed) => {
        if (changed.length > 0) options.onAttention(changed);
        this.#noteSessions();
        this.#activity.reconsider();
      },
    });
    this.#activity = new Activity({
      ...{ root, clock, log },
      claudes: () => this.#claudes.known,
      lookAtClaudes: () => this.#claudes.look(),
      ownProcesses: async () => {
        const host = await ptyHostIdentity(run);
        return new Set(host ? [process.pid, host.pid] : [process.pid]);
      },
      onChange: options.onActivity,
    });
  }

  /** A terminal's status with what Claude does in it. */
  present(status: TerminalStatus): TerminalStatus {
    const attention = status.state === "running" ? this.#claudes.known.attention.get(status.id) : undefined;
    return attention ? { ...status, attention } : status;
  }

  /** Something was typed into a terminal. */
  noteInput(): void {
    this.#claudes.poke();
  }

  /** A terminal has changed: its title, for one, which Claude changes with what it does. */
  noteTerminal({ id, state, epoch }: TerminalStatus): void {
    this.#claudes.poke();
    const life = `${state} ${epoch}`;
    if (this.#lives.get(id) === life) return;
    this.#lives.set(id, life);
    this.#activity.lookSoon();
  }

  /** All terminals, as they are now. */
  noteTerminals(statuses: readonly TerminalStatus[]): void {
    // Such as after Esc, of which no hook tells.
    if (this.#activity.noteTerminals(statuses)) this.#claudes.poke();
    const there = new Set(statuses.map(({ id }) => id));
    for (const id of this.#lives.keys()) if (!there.has(id)) this.#lives.delete(id);
  }

  /** What uses the sandbox, as far as is known. */
  get current(): AgentActivity {
    return this.#activity.current();
  }

  /** Looks at everything anew. `again`: what was begun since the last time counts, whatever it is. */
  async fresh(again?: boolean): Promise<AgentActivity> {
    await this.#claudes.look();
    return this.#activity.fresh(again);
  }

  /** A Claude that begins to say what it does, or has ended, is judged by something else from then on. */
  #noteSessions(): void {
    const sessions = this.#claudes.known.sessions.map(({ pid }) => pid).join();
    if (sessions === this.#sessions) return;
    this.#sessions = sessions;
    this.#activity.lookSoon();
  }

  /** Looks and listens until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#claudes.run(signal), this.#activity.run(signal)]);
  }
}
