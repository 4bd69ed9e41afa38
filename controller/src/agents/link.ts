import type { AgentActivity, TerminalStatus } from "@berth/protocol";
import {
  agentInterface as agentCalls,
  type agentInterface,
  CallFailure,
  type Channel,
  controllerInterface,
  type Handlers,
  LinkViolation,
  linkLimits,
  linkVersion,
  Multiplexer,
  Peer,
} from "@berth/protocol/link";
import type { WebSocket } from "ws";

/** Reasons for which the controller closes an agent's link, as WebSocket close codes. */
export const linkCloseCodes = {
  violation: 4400,
  /** Another link of the same sandbox has taken over. */
  superseded: 4409,
  /** The container was stopped or destroyed. */
  dropped: 4410,
  silent: 4408,
} as const;

type Hello = Parameters<Handlers<typeof controllerInterface>["hello"]>[0];
type Welcome = Awaited<ReturnType<Handlers<typeof controllerInterface>["hello"]>>;

export interface AgentLinkOptions {
  readonly sandboxId: string;
  readonly socket: WebSocket;
  /** The agent introduces itself; a rejection refuses the link. */
  onHello(link: AgentLink, hello: Hello): Promise<Welcome>;
  onTerminal(status: TerminalStatus): void;
  /** A frame came, of so many bytes. */
  onFrame(bytes: number): void;
  /** What uses the sandbox has changed. */
  onActivity(activity: AgentActivity): void;
  /** The agent opened a channel. Whoever takes it sets its handlers at once; without this the agent may open none. */
  onChannel?(channel: Channel, kind: string, params: unknown): void;
  /** The peer broke the rules: why, for the log. */
  onViolation(reason: string): void;
}

/** What may wait in a link's socket before the link is given up: an agent that does not read costs no more, in bytes. */
const maxBufferedBytes = 8 * 1024 * 1024;
/** Frames that carry no terminal bytes, and so are not bounded by credit, per second. */
const maxControlFramesPerSecond = 2_000;

/** The one link to a sandbox's agent. Whatever comes over it is checked, and reaches this sandbox only. */
export class AgentLink {
  readonly sandboxId: string;
  readonly #socket: WebSocket;
  readonly #mux: Multiplexer;
  readonly #peer: Peer<typeof controllerInterface, typeof agentInterface>;
  readonly #onViolation: (reason: string) => void;
  #greeted = false;
  #ended = false;
  #frames = { second: 0, count: 0 };

  constructor(options: AgentLinkOptions) {
    this.sandboxId = options.sandboxId;
    this.#socket = options.socket;
    this.#onViolation = options.onViolation;
    this.#mux = new Multiplexer({
      side: "listener",
      send: (frame) => this.#send(frame),
      onControl: (message) => this.#peer.receive(message),
      onOpen: (channel, kind, params) => this.#open(options, channel, kind, params),
    });
    this.#peer = new Peer({
      local: controllerInterface,
      remote: agentCalls,
      send: (message) => this.#mux.sendControl(message),
      handlers: { hello: (hello) => this.#hello(options, hello) },
      // The peer has checked it against the event's schema.
      onEvent: (event, data) => {
        if (event === "activity") options.onActivity(data as AgentActivity);
        else options.onTerminal(data as TerminalStatus);
      },
    });
    this.#socket.on("message", (data: Buffer, isBinary) => {
      this.#receive(data, isBinary);
      options.onFrame(data.length);
    });
    this.#socket.on("close", () => this.#end());
    this.#socket.on("error", () => this.#socket.terminate());
  }

  /** The agent has introduced itself. */
  get greeted(): boolean {
    return this.#greeted;
  }

  get open(): boolean {
    return this.#greeted && this.#socket.readyState === this.#socket.OPEN;
  }

  /** Calls the agent; rejects with `CallFailure`. */
  get call(): Peer<typeof controllerInterface, typeof agentInterface>["call"] {
    return this.#peer.call.bind(this.#peer);
  }

  /** Opens a channel to the agent. */
  openChannel(kind: string, params: unknown): Channel {
    return this.#mux.open(kind, params);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    this.#end();
    // A peer that does not answer the close is cut off.
    setTimeout(() => this.#socket.terminate(), 2_000).unref();
  }

  async #hello(options: AgentLinkOptions, hello: Hello): Promise<Welcome> {
    if (this.#greeted) throw new CallFailure("conflict", "one hello is enough");
    if (hello.linkVersion !== linkVersion) {
      throw new CallFailure(
        "version",
        `this controller speaks version ${linkVersion} of the link, the agent ${hello.linkVersion}`,
      );
    }
    const welcome = await options.onHello(this, hello);
    this.#greeted = true;
    return welcome;
  }

  #open({ onChannel }: AgentLinkOptions, channel: Channel, kind: string, params: unknown): void {
    if (!this.#greeted || !onChannel) throw new LinkViolation("the peer may not open that channel");
    onChannel(channel, kind, params);
  }

  #receive(data: Buffer, isBinary: boolean): void {
    // A peer that is being closed may send on: it is not told of, line by line.
    if (this.#ended) return;
    try {
      if (!isBinary) throw new LinkViolation("a text frame");
      if (data.length < linkLimits.headerBytes + 1 || (data[0] !== 2 && !isBulkCredit(data))) this.#countControlFrame();
      this.#mux.receive(data);
    } catch (error) {
      if (!(error instanceof LinkViolation)) throw error;
      this.#onViolation(error.message);
      this.close(linkCloseCodes.violation, error.message.slice(0, 100));
    }
  }

  /** Data frames are bounded by their channel's credit; of all others there may be so many a second. */
  #countControlFrame(): void {
    const second = Math.floor(performance.now() / 1000);
    if (this.#frames.second !== second) this.#frames = { second, count: 0 };
    this.#frames.count += 1;
    if (this.#frames.count > maxControlFramesPerSecond) throw new LinkViolation("too many control frames");
  }

  #send(frame: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(frame, { binary: true });
    if (this.#socket.bufferedAmount > maxBufferedBytes) this.#socket.terminate();
  }

  #end(): void {
    this.#ended = true;
    this.#mux.close();
    this.#peer.close();
  }
}

/**
 * Whether a frame gives much credit at a time, as agents do. There are no more of these than this side has sent bytes
 * for, so a fast upload is no flood.
 */
function isBulkCredit(data: Buffer): boolean {
  const { headerBytes, channelWindowBytes } = linkLimits;
  return data[0] === 4 && data.length === headerBytes + 4 && data.readUInt32BE(headerBytes) >= channelWindowBytes / 8;
}
