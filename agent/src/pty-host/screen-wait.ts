import { BerthError, type Screen, type ScreenWaitParams } from "@berth/protocol";
import type { Channel, CloseReason } from "@berth/protocol/link";
import type { TerminalContent } from "./content.ts";
import type { ScreenModel } from "./screen-model.ts";
import { ScreenSearch } from "./screen-search.ts";
import type { TerminalMeta } from "./store.ts";

/** What a wait needs of its terminal. */
export interface WaitedTerminal {
  content(): Promise<TerminalContent>;
  meta(): TerminalMeta;
  left(wait: ScreenWait): void;
}

/** Looks for what is waited for, in the output that the screen model has; one call after the other. */
interface Look {
  now(): boolean | Promise<boolean>;
  stop(): void;
}

/** The screen as text, as the model has it at this moment. */
export function screenOf(model: ScreenModel, { feed }: TerminalContent, { epoch }: TerminalMeta): Screen {
  return { ...model.text(), title: model.title, epoch, offset: feed.parsedOffset };
}

/**
 * One caller that waits for a screen, on a channel of its own: its close ends the wait. It follows the screen model and
 * so takes nothing from the way that output goes to viewers.
 */
export class ScreenWait {
  readonly #terminal: WaitedTerminal;
  readonly #channel: Channel;
  readonly #params: ScreenWaitParams;
  readonly #timers = new Set<NodeJS.Timeout>();
  #content: (TerminalContent & { readonly model: ScreenModel }) | undefined;
  #letGo: (() => void) | undefined;
  #look: Look | undefined;
  /** The look that is under way. */
  #looking: Promise<void> | undefined;
  #unfollow: (() => void) | undefined;
  #expired = false;
  #ending = false;
  #over = false;

  constructor(terminal: WaitedTerminal, channel: Channel, params: ScreenWaitParams) {
    this.#terminal = terminal;
    this.#channel = channel;
    this.#params = params;
    channel.handle({ onClose: () => this.#end() });
    this.#after(params.timeoutMs, () => this.#expire());
  }

  /** Looks at once, and then after each batch of output. Rejects with what the caller is to be told. */
  async begin(): Promise<void> {
    const terminal = await this.#terminal.content();
    if (this.#over) return;
    this.#letGo = terminal.feed.hold();
    const content = { ...terminal, model: await terminal.feed.caughtUp() };
    const { condition } = this.#params;
    if (!this.#over && "text" in condition) this.#look = await this.#lookFor(content, condition.text);
    if (this.#over) {
      this.#look?.stop();
      return;
    }
    this.#content = content;
    if ("idleMs" in condition) {
      this.#waitForSilence(content, condition.idleMs);
      return;
    }
    await this.#lookOnce();
    if (this.#terminal.meta().exit) return this.exited();
    if (this.#expired) this.#finish(false);
    if (this.#over) return;
    this.#unfollow = content.feed.follow(() => this.#lookOnce());
  }

  /** The program has ended: a last look, and nothing more will come. */
  async exited(): Promise<void> {
    const content = this.#content;
    // Before it has begun, `begin` sees the exit.
    if (!content || this.#over || this.#ending) return;
    this.#ending = true;
    this.#unfollow?.();
    await this.#looking;
    await content.feed.caughtUp();
    await this.#lookOnce();
    this.#finish("idleMs" in this.#params.condition);
  }

  close(reason: CloseReason): void {
    if (this.#over) return;
    this.#channel.close(reason);
    this.#end();
  }

  async #lookFor(
    { ring, model, feed }: TerminalContent & { readonly model: ScreenModel },
    text: string,
  ): Promise<Look> {
    const { since } = this.#params;
    if (!since) {
      const search = new ScreenSearch(model, text);
      return { now: () => search.look(), stop: () => search.stop() };
    }
    const { epoch } = this.#terminal.meta();
    if (since.epoch > epoch || (since.epoch === epoch && since.offset > ring.endOffset)) {
      throw new BerthError("invalid_request", "since is ahead of the terminal's output");
    }
    const { ScreenSince } = await import("./screen-since.ts");
    // All output of this epoch was written behind a place of an earlier one.
    const later = new ScreenSince(ring, since.epoch < epoch ? 0 : since.offset, model, text);
    return { now: () => later.look(feed.parsedOffset, model), stop: () => later.dispose() };
  }

  #lookOnce(): Promise<void> {
    this.#looking = this.#doLook().catch((error: unknown) => {
      this.close({ code: "internal", detail: error instanceof Error ? error.message : "the screen cannot be read" });
    });
    return this.#looking;
  }

  async #doLook(): Promise<void> {
    const found = this.#look && !this.#over ? await this.#look.now() : false;
    this.#looking = undefined;
    if (found) this.#finish(true);
    else if (this.#expired && this.#unfollow) this.#finish(false);
  }

  #waitForSilence(content: TerminalContent, idleMs: number): void {
    if (this.#expired || this.#terminal.meta().exit) {
      this.#finish(!this.#expired);
      return;
    }
    const { ring, feed } = content;
    let seenOffset = ring.endOffset;
    let lastAtMs = performance.now();
    const look = () => {
      if (ring.endOffset === seenOffset) return;
      seenOffset = ring.endOffset;
      lastAtMs = performance.now();
    };
    this.#unfollow = feed.follow(look);
    const check = () => {
      // What came and was not parsed yet is output, too.
      look();
      const restMs = lastAtMs + idleMs - performance.now();
      if (restMs > 0) this.#after(Math.ceil(restMs), check);
      else void feed.caughtUp().then(() => this.#finish(true));
    };
    this.#after(idleMs, check);
  }

  #expire(): void {
    this.#expired = true;
    // Before the first look, and during one, what looks says it.
    if (this.#unfollow && !this.#looking) this.#finish(false);
  }

  #finish(matched: boolean): void {
    const content = this.#content;
    if (this.#over || !content) return;
    const meta = this.#terminal.meta();
    try {
      const state = meta.exit ? "exited" : "running";
      this.#channel.sendMessage({ ...screenOf(content.model, content, meta), matched, state });
      this.close({});
    } catch (error) {
      // The largest screens are longer than a message may be.
      this.close({ code: "payload_too_large", detail: error instanceof Error ? error.message : "" });
    }
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#over) act();
    }, ms);
    this.#timers.add(timer);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#unfollow?.();
    // A look that is under way still uses what it looks with.
    void Promise.resolve(this.#looking).then(() => {
      this.#look?.stop();
      this.#letGo?.();
    });
    this.#terminal.left(this);
  }
}
