import { after, type Clock, every } from "@berth/base";
import { type AttachConnection, type AttachState, isAutomaticReply } from "@berth/protocol/viewer";
import type { Surroundings } from "../session.ts";
import type { Front } from "./attach.ts";
import { DetachKeys, defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";
import { LocalScreen } from "./local-screen.ts";
import { rawTerminal } from "./raw-terminal.ts";
import { statusText } from "./status-text.ts";

/** A cut that is shorter is not worth a word. */
const quietMs = 1_000;
/** A question is not answered sooner, in milliseconds. */
const readingMs = 700;
/** A timer that comes so much too late has slept with the machine. */
const sleptMs = 15_000;

export interface TerminalFrontOptions {
  readonly detachKeys?: string;
  /** The program begins where the cursor stands, as ssh does it. */
  readonly inline: boolean;
}

/** The user's own terminal as the place where another one is shown and typed into. */
export class TerminalFront implements Front {
  readonly screen: LocalScreen;
  readonly #surroundings: Surroundings;
  readonly #clock: Clock;
  readonly #detachText: string;
  readonly #keys: DetachKeys;
  readonly #releases: (() => void)[] = [];
  #connection: AttachConnection | undefined;
  #detach = () => {};
  #state: AttachState = { phase: "suspended" };
  #wasConnected = false;
  /** When the question of what becomes of held input appeared. */
  #askedAt = 0;
  /** Calls the status line off, or the wait for it. */
  #endStatus: (() => void) | undefined;

  /** Throws `CommandFailed` if the keys are none. */
  constructor(surroundings: Surroundings, { detachKeys = defaultDetachKeys, inline }: TerminalFrontOptions) {
    this.#surroundings = surroundings;
    this.#clock = surroundings.clock;
    this.#detachText = detachKeys;
    this.#keys = new DetachKeys(parseDetachKeys(detachKeys));
    this.screen = new LocalScreen(surroundings.stdout, inline);
  }

  start(connection: AttachConnection, detach: () => void): void {
    const { stdin, stdout } = this.#surroundings;
    this.#connection = connection;
    this.#detach = detach;
    connection.fit(this.screen.size);
    this.#releases.push(rawTerminal(stdin, () => this.screen.leave()));
    const onData = (chunk: Buffer | string) => this.#typed(Buffer.from(chunk));
    const onResize = () => connection.fit(this.screen.fit());
    stdin.on("data", onData).on("end", detach);
    stdin.resume();
    stdout.on("resize", onResize);
    this.#releases.push(() => {
      stdin.off("data", onData).off("end", detach);
      stdout.off("resize", onResize);
    }, this.#watchSleep(connection));
  }

  state(state: AttachState): void {
    this.#state = state;
    if (state.phase === "connected") {
      this.#clearStatus();
      // Whoever attaches from a terminal is about to use it: it takes the size that fits here.
      if (!this.#wasConnected) this.#connection?.claimSize();
      this.#wasConnected = true;
    } else if (state.phase === "holding") {
      this.#askedAt = this.#clock.now();
      this.#showStatus();
    } else if (state.phase === "waiting" || state.phase === "connecting") this.#soonStatus();
    else this.#clearStatus();
  }

  stop(): void {
    this.#clearStatus();
    for (const release of this.#releases.splice(0).reverse()) release();
  }

  #typed(chunk: Buffer): void {
    const { tokens, detach } = this.#keys.take(chunk);
    if (this.#state.phase === "holding") this.#answer(tokens);
    else this.#send(tokens);
    if (detach) this.#detach();
  }

  /** One key, pressed after the question could be read: what is typed or pasted on in passing answers nothing. */
  #answer(tokens: readonly string[]): void {
    const [key = "", ...more] = tokens;
    const soon = this.#clock.now() - this.#askedAt < readingMs;
    if (more.length > 0 || soon || !/^[yn]$/i.test(key)) this.screen.bell();
    else if (/y/i.test(key)) this.#connection?.sendHeld();
    else this.#connection?.discardHeld();
  }

  /** What the terminal says by itself is told apart from what was typed: it is of no use after a cut. */
  #send(tokens: readonly string[]): void {
    let typed = "";
    const flush = () => {
      if (typed !== "" && this.#connection?.type(Buffer.from(typed, "latin1")) === "full") this.screen.bell();
      typed = "";
    };
    for (const token of tokens) {
      if (!isAutomaticReply(token)) typed += token;
      else {
        flush();
        this.#connection?.reply(Buffer.from(token, "latin1"));
      }
    }
    flush();
  }

  #soonStatus(): void {
    this.#endStatus ??= after(this.#clock, quietMs, () => this.#showStatus());
  }

  #showStatus(): void {
    this.#endStatus?.();
    const show = () => this.screen.status(statusText(this.#state, this.#clock.now(), this.#detachText));
    this.#endStatus = every(this.#clock, 1_000, show);
    show();
  }

  #clearStatus(): void {
    this.#endStatus?.();
    this.#endStatus = undefined;
    this.screen.status(undefined);
  }

  /** A connection from before the machine slept is dead as a rule, and nobody says so. */
  #watchSleep(connection: AttachConnection): () => void {
    const periodMs = 5_000;
    let last = this.#clock.now();
    return every(this.#clock, periodMs, () => {
      const now = this.#clock.now();
      if (now - last > periodMs + sleptMs) connection.poke();
      last = now;
    });
  }
}
