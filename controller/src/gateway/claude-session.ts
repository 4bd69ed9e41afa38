import { systemClock } from "@berth/base";
import { type AttachQuery, attachQuerySchema, parseJson } from "@berth/protocol";
import { AttachConnection, type AttachState, type OpenSocket } from "@berth/protocol/viewer";
import type { PseudoTtyInfo } from "ssh2";
import { Value } from "typebox/value";
import { type AskedProgram, finish } from "./local-sessions.ts";

/** Opens a viewer's connection to the terminal, as the browser's attach does. */
export type OpenViewer = (viewer: AttachQuery, events: Parameters<OpenSocket>[1]) => ReturnType<OpenSocket>;

/** Typed bytes that no PTY has taken; beyond it nothing more is read from the client. */
const maxTypedBytes = 256 * 1024;
const retryMs = 50;
/** Leaves the alternate screen, mouse reports, bracketed paste and hidden cursors behind. */
const leaveScreen = "\x1b[?1049l\x1b[?1000;1002;1003;1006;2004l\x1b[?25h\x1b[0m\n";

/**
 * Shows a terminal of a sandbox in a client's own: the same screen, and its going on, as any other viewer. The terminal
 * outlives this; so there is no key that detaches, but the client's own (`~.`), or the end of the connection. It is cut
 * from the sandbox and comes back without the client's notice.
 */
export class ClaudeSession {
  readonly #program: AskedProgram;
  readonly #connection: AttachConnection;
  #ended = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(program: AskedProgram, pty: PseudoTtyInfo, openViewer: OpenViewer) {
    this.#program = program;
    const { channel } = program;
    this.#connection = new AttachConnection({
      address: (viewer) => JSON.stringify(viewer),
      openSocket: (path, events) => openViewer(Value.Parse(attachQuerySchema, parseJson(path)), events),
      screen: {
        write: (bytes, digested) => {
          if (!channel.writable) return;
          this.#bytesOut += bytes.byteLength;
          channel.write(bytes, () => digested());
        },
        resized: () => {},
      },
      verdict: async () => "retry",
      onState: (state) => this.#follow(state),
      clock: systemClock,
    });
    this.#connection.fit(terminalSize(pty));
    program.onResize((size) => {
      if (size.cols > 0 && size.rows > 0) this.#connection.fit(terminalSize(size));
    });
    channel.on("data", (bytes: Buffer) => {
      this.#bytesIn += bytes.length;
      this.#type(new Uint8Array(bytes));
    });
    channel.once("close", () => this.close());
    this.#connection.open();
  }

  /** What was typed, and what was shown. */
  get traffic(): { bytesIn: number; bytesOut: number } {
    return { bytesIn: this.#bytesIn, bytesOut: this.#bytesOut };
  }

  /** Lets go of the terminal; the session itself is the client's to end. */
  close(): void {
    this.#ended = true;
    clearTimeout(this.#retry);
    this.#connection.close();
  }

  #type(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#ended) return;
    const { channel } = this.#program;
    const taken = this.#connection.type(bytes);
    // What waited for long was meant for another screen.
    if (taken === "held") this.#connection.discardHeld();
    if (taken !== "full" && this.#connection.pendingInputBytes < maxTypedBytes) return;
    channel.pause();
    this.#retry = setTimeout(() => {
      channel.resume();
      if (taken === "full") this.#type(bytes);
    }, retryMs);
  }

  #follow(state: AttachState): void {
    if (this.#ended) return;
    switch (state.phase) {
      case "holding":
        this.#connection.discardHeld();
        return;
      case "exited":
        this.#finish("Claude has ended.", state.exit.code ?? 1);
        return;
      case "failed":
        this.#finish(state.reason, 255);
        return;
      case "gone":
        this.#finish("The terminal was closed.", 255);
        return;
      default:
    }
  }

  #finish(sentence: string, code: number): void {
    this.close();
    finish(this.#program, { out: `${leaveScreen}berth: ${sentence}\n`, code });
  }
}

/**
 * Within the bounds of what a terminal may have: a client may say anything. Where it says zero it does not know (`ssh -tt`
 * without a terminal; RFC 4254, 6.2), and gets what terminals have by default.
 */
export function terminalSize({ cols, rows }: { cols: number; rows: number }): { cols: number; rows: number } {
  return { cols: Math.min(1000, cols || 80), rows: Math.min(500, rows || 24) };
}
