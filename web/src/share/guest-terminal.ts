import { systemClock } from "@berth/base";
import { attachShare, routeUrl } from "@berth/protocol";
import { AttachConnection, type AttachState, type AttachVerdict } from "@berth/protocol/viewer";
import { openSocket } from "../terminal/open-socket.ts";
import { Screen } from "../terminal/screen.ts";
import { exposeTerminal } from "../terminal/test-window.ts";

export interface GuestTerminalEvents {
  onState: (state: AttachState) => void;
  onTitle: (title: string) => void;
  /** The connection ended before the server said anything. */
  verdict: () => Promise<AttachVerdict>;
}

const nothing = () => {};

/** A terminal that is looked at: it types nothing, answers nothing, and has no say in the size. */
export class GuestTerminal {
  readonly screen: Screen;
  readonly connection: AttachConnection;
  readonly #releases: (() => void)[] = [];

  constructor(shareId: string, host: HTMLElement, events: GuestTerminalEvents) {
    this.screen = new Screen({
      host,
      readOnly: true,
      onType: nothing,
      onReply: nothing,
      onKey: () => true,
      onFit: nothing,
      onScaled: nothing,
      onTitle: events.onTitle,
      onBell: nothing,
    });
    this.connection = new AttachConnection({
      address: ({ from }) => {
        return routeUrl(attachShare, { params: { id: shareId }, query: from === undefined ? {} : { from } });
      },
      openSocket,
      screen: this.screen,
      verdict: events.verdict,
      onState: events.onState,
      clock: systemClock,
    });
    this.#releases.push(exposeTerminal(shareId, this));
    const poke = () => {
      if (document.visibilityState === "visible") this.connection.poke();
    };
    for (const [target, name] of [
      [window, "online"],
      [window, "pageshow"],
      [document, "visibilitychange"],
    ] as const) {
      target.addEventListener(name, poke);
      this.#releases.push(() => target.removeEventListener(name, poke));
    }
  }

  dispose(): void {
    for (const release of this.#releases.splice(0)) release();
    this.connection.close();
    this.screen.dispose();
  }
}
