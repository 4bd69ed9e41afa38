import { Channel, type ChannelPort, type CloseReason } from "./channel.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameType,
  frameTypes,
  LinkViolation,
  linkLimits,
} from "./frames.ts";
import { boundedReason, decodeClose, decodeCredit, decodeJson, encodeCredit, encodeJson } from "./payloads.ts";

/** The channel that is always open: hello, welcome, requests, responses and events. It carries messages only. */
const controlChannel = 0;

export interface MultiplexerOptions {
  /** Who dialled: the dialling side opens even channels, the other odd ones, so that both may open at once. */
  side: "dialler" | "listener";
  /** Memory for a frame of so many bytes, which is handed to `send`; new memory without it. */
  allocate?(bytes: number): Uint8Array;
  /** Hands a frame to the transport; must not throw. */
  send(frame: Uint8Array): void;
  /** A message on the control channel. */
  onControl(message: unknown): void;
  /**
   * The peer opened a channel. The receiver must set the channel's handlers before it returns, and may close it.
   * Without it, the peer may open none.
   */
  onOpen?(channel: Channel, kind: string, params: unknown): void;
}

/** Many channels over one link. Knows no transport: frames go out by `send` and come in by `receive`. */
export class Multiplexer {
  readonly #options: MultiplexerOptions;
  readonly #channels = new Map<number, Channel>();
  #nextId: number;
  #closed = false;

  constructor(options: MultiplexerOptions) {
    this.#options = options;
    this.#nextId = options.side === "dialler" ? 2 : 1;
  }

  /** Open channels. */
  get size(): number {
    return this.#channels.size;
  }

  /** Sends a message on the control channel. Throws `MessageTooLong`, and sends nothing, above the link's bound. */
  sendControl(message: unknown): void {
    this.#send(frameTypes.message, controlChannel, encodeJson(message));
  }

  /**
   * Opens a channel. It is closed at once, with a code, on a link that has closed (`link_closed`) or that has as many
   * channels as it takes (`limit_exceeded`).
   */
  open(kind: string, params: unknown): Channel {
    const request = encodeJson({ kind, params });
    const id = this.#nextId;
    this.#nextId += 2;
    const channel = new Channel(this.#port(id));
    const refusal = this.#refusal();
    if (refusal) {
      queueMicrotask(() => channel.receiveClose(refusal));
      return channel;
    }
    this.#channels.set(id, channel);
    this.#send(frameTypes.open, id, request);
    return channel;
  }

  /** Takes a frame from the transport. Throws `LinkViolation` when the peer broke the rules: then close the link. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    const frame = decodeFrame(bytes);
    if (frame.type !== frameTypes.data && frame.payload.byteLength > linkLimits.maxMessageBytes) {
      throw new LinkViolation("a message is too long");
    }
    if (frame.channel === controlChannel) this.#receiveControl(frame);
    else if (frame.type === frameTypes.open) this.#receiveOpen(frame);
    else this.#receiveOnChannel(frame);
  }

  /** The transport is gone: closes every channel with this code. */
  close(code = "link_closed"): void {
    if (this.#closed) return;
    this.#closed = true;
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    for (const channel of channels) channel.receiveClose({ code });
  }

  #refusal(): CloseReason | undefined {
    if (this.#closed) return { code: "link_closed" };
    // The peer would close the whole link.
    if (this.#channels.size >= linkLimits.maxChannels)
      return { code: "limit_exceeded", detail: "The link has as many channels as it takes." };
    return undefined;
  }

  #receiveControl(frame: Frame): void {
    if (frame.type !== frameTypes.message) throw new LinkViolation("the control channel carries messages only");
    this.#options.onControl(decodeJson(frame.payload));
  }

  #receiveOpen(frame: Frame): void {
    const ownParity = this.#options.side === "dialler" ? 0 : 1;
    if (frame.channel % 2 === ownParity || this.#channels.has(frame.channel) || !this.#options.onOpen) {
      throw new LinkViolation("the peer may not open that channel");
    }
    if (this.#channels.size >= linkLimits.maxChannels) throw new LinkViolation("too many channels");
    const request = decodeJson(frame.payload);
    if (typeof request !== "object" || request === null || !("kind" in request) || typeof request.kind !== "string") {
      throw new LinkViolation("a channel was opened without a kind");
    }
    const channel = new Channel(this.#port(frame.channel));
    this.#channels.set(frame.channel, channel);
    this.#options.onOpen(channel, request.kind, "params" in request ? request.params : undefined);
  }

  #receiveOnChannel(frame: Frame): void {
    // A frame for a channel that this side has just closed was under way: it is no offence.
    const channel = this.#channels.get(frame.channel);
    if (!channel) return;
    if (frame.type === frameTypes.data) channel.receiveData(frame.payload);
    else if (frame.type === frameTypes.message) channel.receiveMessage(decodeJson(frame.payload));
    else if (frame.type === frameTypes.credit) channel.receiveCredit(decodeCredit(frame.payload));
    else {
      this.#channels.delete(frame.channel);
      channel.receiveClose(decodeClose(frame.payload));
    }
  }

  #port(id: number): ChannelPort {
    return {
      sendData: (payload) => this.#send(frameTypes.data, id, payload),
      sendMessage: (message) => this.#send(frameTypes.message, id, encodeJson(message)),
      sendCredit: (bytes) => this.#send(frameTypes.credit, id, encodeCredit(bytes)),
      sendClose: (reason) => {
        if (this.#channels.delete(id)) this.#send(frameTypes.close, id, encodeJson(boundedReason(reason)));
      },
    };
  }

  #send(type: FrameType, channel: number, payload: Uint8Array): void {
    if (!this.#closed) this.#options.send(encodeFrame(type, channel, payload, this.#options.allocate));
  }
}
