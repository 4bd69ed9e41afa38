import { join } from "node:path";
import type { Clock } from "@berth/base";
import { makePrivateDirectory } from "@berth/base/node";
import type { Attention } from "@berth/protocol";
import { errorText, type Log } from "../../log.ts";
import { listenAtBell } from "./bell.ts";
import { bellName, readHookSign } from "./hooks.ts";
import { terminalAttention } from "./judge.ts";
import { type ClaudeSession, ClaudeSessions } from "./sessions.ts";

export interface ClaudeWatchOptions {
  /** Where hooks say their words; made if it is not there. */
  readonly folder: string;
  /** Where Claude keeps the state of its sessions, as it is now. */
  sessionsFolder(): string;
  /** The terminals that there are. */
  terminalIds(): Iterable<string>;
  /** What Claude does in some terminal, or in all, may be something else than before. */
  onChange(changed: readonly string[]): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is known of the Claudes in the sandbox. */
export interface KnownClaudes {
  /** By terminal. */
  readonly attention: ReadonlyMap<string, Attention>;
  /** Terminals whose Claude has set itself a time to go on at. */
  readonly scheduled: ReadonlySet<string>;
  readonly sessions: readonly ClaudeSession[];
}

/**
 * Looks so long after news, in milliseconds: the state of a session follows its hook within a moment. Nothing is looked at
 * while there is no news.
 */
const lookAfterMs = [0, 150, 1_000] as const;
/** Not more often than this. */
const restMs = 50;

/** Knows what Claude does in each terminal: by its hooks, its own session state, and whatever else is a reason to look. */
export class ClaudeWatch {
  readonly #options: ClaudeWatchOptions;
  readonly #sessions = new ClaudeSessions();
  #known: KnownClaudes = { attention: new Map(), scheduled: new Set(), sessions: [] };
  #wanted = new AbortController();
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ClaudeWatchOptions) {
    this.#options = options;
  }

  get known(): KnownClaudes {
    return this.#known;
  }

  /** Listens until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { folder, log } = this.#options;
    try {
      await makePrivateDirectory(folder);
      signal.addEventListener("abort", () => this.#wanted.abort(), { once: true });
      await this.look();
      await listenAtBell(join(folder, bellName), () => this.poke(), signal);
    } catch (error) {
      // Without the bell it is the looks now and then that find out.
      log.warn("what Claude's hooks say is not heard at once", { reason: errorText(error) });
    }
  }

  /** There is news, or may be. */
  poke(): void {
    this.#wanted.abort();
    this.#wanted = new AbortController();
    const { signal } = this.#wanted;
    void this.#followUp(signal).catch(() => {});
  }

  /** Looks now, and once at a time. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#look())
      .catch((error: unknown) => {
        this.#options.log.warn("what Claude does could not be found out", { reason: errorText(error) });
      });
    return this.#looking;
  }

  async #followUp(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (const ms of lookAfterMs) {
      await clock.sleep(Math.max(ms, restMs), signal);
      await this.look();
    }
  }

  async #look(): Promise<void> {
    const { folder, sessionsFolder, terminalIds, onChange } = this.#options;
    const sessions = await this.#sessions.read(sessionsFolder());
    const attention = new Map<string, Attention>();
    const scheduled = new Set<string>();
    for (const id of terminalIds()) {
      const sign = await readHookSign(folder, id);
      if (sign?.word === "scheduled") scheduled.add(id);
      const found = terminalAttention(
        sign,
        sessions.filter(({ terminalId }) => terminalId === id),
      );
      if (found) attention.set(id, found);
    }
    const before = this.#known.attention;
    this.#known = { attention, scheduled, sessions };
    const ids = new Set([...before.keys(), ...attention.keys()]);
    onChange([...ids].filter((id) => before.get(id) !== attention.get(id)));
  }
}
