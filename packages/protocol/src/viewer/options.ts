import type { Clock } from "@berth/base";
import type { OpenSocket } from "./socket.ts";
import type { AttachState, AttachVerdict } from "./state.ts";
import type { TerminalSize } from "./viewer-size.ts";

/** What the connection draws on. */
export interface AttachScreen {
  /** Takes output or a snapshot (which begins with a full reset), in order; calls back once it is digested. */
  write(bytes: Uint8Array<ArrayBuffer>, digested: () => void): void;
  /** The terminal's own size, which another viewer may have given it. */
  resized(size: TerminalSize): void;
}

/** What a viewer says of itself when it attaches. */
export interface ViewerQuery extends Partial<TerminalSize> {
  /** `<epoch>:<offset>`: where its output ends. */
  readonly from?: string;
  /** `<stream id>:<offset>` of its input. */
  readonly input: string;
}

export interface AttachOptions {
  /** The path of the attach call for a viewer. */
  address: (viewer: ViewerQuery) => string;
  openSocket: OpenSocket;
  screen: AttachScreen;
  /** Asked when a connection ends before the server has said anything. */
  verdict: () => Promise<AttachVerdict>;
  onState: (state: AttachState) => void;
  clock: Clock;
  /** Where the output is to begin: it comes byte by byte if all of it is still kept, and from a snapshot otherwise. */
  from?: { readonly epoch: number; readonly offset: number };
  /** Randomness of the waits, in [0, 1). */
  random?: () => number;
  newStreamId?: () => string;
}

/** Times of a connection, in milliseconds. */
export const attachTimes = {
  /** From opening a socket to its first message. */
  connectMs: 10_000,
  /** Sent input without any word from the server: the connection is taken for dead. */
  deadMs: 10_000,
  /** After a cut longer than this, unsent input is not sent without asking. */
  holdAfterMs: 30_000,
  /** Silence after which a page that becomes visible, or comes online, does not trust its connection. */
  staleMs: 60_000,
  /** How long digested bytes wait to be acknowledged together: about one frame. */
  ackMs: 16,
} as const;
