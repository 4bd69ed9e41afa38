import { type Channel, Multiplexer, type MultiplexerOptions } from "../../../src/link/index.ts";

/** A channel that the peer opened. */
export interface Opened {
  readonly channel: Channel;
  readonly kind: string;
  readonly params: unknown;
}

/** One end of a link in memory. */
export interface LinkEnd {
  readonly mux: Multiplexer;
  /** What the peer sent on the control channel. */
  readonly control: unknown[];
  /** The channels that the peer opened. */
  readonly opened: Opened[];
  /** Frames that are under way to this end. */
  readonly arriving: Uint8Array[];
}

export interface MemoryLinkOptions {
  /** Called at each end when the peer opens a channel, before its first frame. */
  onOpen?: MultiplexerOptions["onOpen"];
}

/** Two multiplexers whose frames wait until the test delivers them, in any interleaving of the two directions. */
export class MemoryLink {
  readonly dialler: LinkEnd;
  readonly listener: LinkEnd;

  constructor(options: MemoryLinkOptions = {}) {
    const toDialler: Uint8Array[] = [];
    const toListener: Uint8Array[] = [];
    this.dialler = end("dialler", toDialler, toListener, options);
    this.listener = end("listener", toListener, toDialler, options);
  }

  get ends(): readonly LinkEnd[] {
    return [this.dialler, this.listener];
  }

  /** Delivers everything, also what is sent while it is delivered. */
  deliverAll(): void {
    while (this.ends.some((one) => deliverNext(one)));
  }

  /** Opens a channel from the dialler, and answers it and its other end. */
  channel(params: unknown = null): { near: Channel; far: Channel } {
    const near = this.dialler.mux.open("test", params);
    this.deliverAll();
    const far = this.listener.opened.at(-1)?.channel;
    if (!far) throw new Error("the channel did not arrive");
    return { near, far };
  }
}

/** Delivers the next frame that is under way to an end; answers whether there was one. */
export function deliverNext(end: LinkEnd): boolean {
  const frame = end.arriving.shift();
  if (frame) end.mux.receive(frame);
  return frame !== undefined;
}

function end(
  side: "dialler" | "listener",
  arriving: Uint8Array[],
  leaving: Uint8Array[],
  options: MemoryLinkOptions,
): LinkEnd {
  const control: unknown[] = [];
  const opened: Opened[] = [];
  const mux = new Multiplexer({
    side,
    send: (frame) => void leaving.push(frame),
    onControl: (message) => void control.push(message),
    onOpen: (channel, kind, params) => {
      opened.push({ channel, kind, params });
      options.onOpen?.(channel, kind, params);
    },
  });
  return { mux, control, opened, arriving };
}
