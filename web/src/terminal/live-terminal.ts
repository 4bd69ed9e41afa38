import { systemClock } from "@berth/base";
import { attachTerminal, BerthError, type Client, getTerminal, routeUrl, type Terminal } from "@berth/protocol";
import {
  AttachConnection,
  type AttachState,
  type AttachVerdict,
  type TerminalSize,
  type TypingResult,
} from "@berth/protocol/viewer";
import { copyText } from "../ui/clipboard.ts";
import { zoom } from "./font-size.ts";
import { type KeyAction, keyAction } from "./keys.ts";
import { openSocket } from "./open-socket.ts";
import { Screen } from "./screen.ts";
import { exposeTerminal } from "./test-window.ts";

export interface LiveTerminalEvents {
  onState: (state: AttachState) => void;
  onScaled: (size: TerminalSize | null) => void;
  onTitle: (title: string) => void;
  onBell: () => void;
  /** Typed bytes were not taken, and why; or they are taken again. */
  onTyped: (result: TypingResult) => void;
  /** Number of tabs, for the keys that choose one. */
  tabs: () => number;
  onTab: (index: number) => void;
  /** Focus leaves the terminal for the tabs. */
  onLeave: () => void;
  /** Once: the next key is meant with Ctrl. True if it was pending. */
  takeCtrl: () => boolean;
}

/** A terminal that is shown: its screen and its connection, which know nothing of each other but bytes and sizes. */
export class LiveTerminal {
  readonly screen: Screen;
  readonly connection: AttachConnection;
  readonly #kind: Terminal["kind"];
  readonly #events: LiveTerminalEvents;
  readonly #releases: (() => void)[] = [];

  constructor(api: Client, terminal: Terminal, host: HTMLElement, events: LiveTerminalEvents) {
    this.#kind = terminal.kind;
    this.#events = events;
    this.screen = new Screen({
      host,
      onType: (bytes) => events.onTyped(this.connection.type(withCtrl(bytes, events.takeCtrl))),
      onReply: (bytes) => this.#reply(bytes),
      onKey: (event) => this.#onKey(event),
      onFit: (size) => this.connection.fit(size),
      onScaled: events.onScaled,
      onTitle: events.onTitle,
      onBell: events.onBell,
    });
    this.connection = new AttachConnection({
      address: (query) => routeUrl(attachTerminal, { params: { id: terminal.id }, query }),
      openSocket,
      screen: this.screen,
      verdict: () => findVerdict(api, terminal.id),
      onState: events.onState,
      clock: systemClock,
    });
    this.#releases.push(exposeTerminal(terminal.id, this));
    this.#watchPage(host);
  }

  dispose(): void {
    for (const release of this.#releases.splice(0)) release();
    this.connection.close();
    this.screen.dispose();
  }

  /** Several viewers would answer the same question: the one where the user is does. */
  #reply(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.connection.state.phase === "connected" && document.hasFocus()) this.connection.reply(bytes);
  }

  #onKey(event: KeyboardEvent): boolean {
    const action = keyAction(event, this.#kind, this.#events.tabs());
    if (!action) return true;
    if (action.do !== "paste") event.preventDefault();
    this.#act(action);
    return false;
  }

  #act(action: KeyAction): void {
    switch (action.do) {
      case "copy":
        if (this.screen.selection) void copyText(this.screen.selection);
        return;
      case "paste":
        return;
      case "zoom":
        zoom(action.by);
        return;
      case "tab":
        this.#events.onTab(action.index);
        return;
      case "leave":
        this.#events.onLeave();
        return;
      case "send":
        this.screen.input(action.data);
        return;
    }
  }

  #watchPage(host: HTMLElement): void {
    const poke = () => {
      if (document.visibilityState === "visible") this.connection.poke();
    };
    const claim = () => this.connection.claimSize();
    window.addEventListener("online", poke);
    window.addEventListener("pageshow", poke);
    document.addEventListener("visibilitychange", poke);
    host.addEventListener("focusin", claim);
    host.addEventListener("pointerdown", claim);
    this.#releases.push(() => {
      window.removeEventListener("online", poke);
      window.removeEventListener("pageshow", poke);
      document.removeEventListener("visibilitychange", poke);
      host.removeEventListener("focusin", claim);
      host.removeEventListener("pointerdown", claim);
    });
  }
}

/** The control character of a single letter typed after the on-screen Ctrl. */
function withCtrl(bytes: Uint8Array<ArrayBuffer>, takeCtrl: () => boolean): Uint8Array<ArrayBuffer> {
  const [byte] = bytes;
  if (bytes.length !== 1 || byte === undefined || !takeCtrl()) return bytes;
  const upper = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
  return upper >= 0x40 && upper <= 0x5f ? Uint8Array.of(upper - 0x40) : bytes;
}

/** A browser does not tell why an upgrade was refused: asking for the terminal itself does. */
async function findVerdict(api: Client, terminalId: string): Promise<AttachVerdict> {
  try {
    await api.call(getTerminal, { params: { id: terminalId } });
    return "retry";
  } catch (error) {
    if (!(error instanceof BerthError)) return "retry";
    if (error.code === "unauthenticated") return "signedOut";
    return error.code === "not_found" ? "gone" : "retry";
  }
}
