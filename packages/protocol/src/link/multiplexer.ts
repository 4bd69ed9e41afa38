import { parseJson } from "../json.ts";
import { Channel, type ChannelPort } from "./channel.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameType,
  frameTypes,
  LinkViolation,
  linkLimits,
} from "./frames.ts";

/** The channel that is always open: hello, welcome, requests, responses and events. It carries messages only. */
const controlChannel = 0;

/** A message is longer than the link takes. */
export class MessageTooLong extends Error {
  override readonly name = "MessageTooLong";
  readonly code = "payload_too_large";
}

export interface MultiplexerOptions {
  /** Who dialled: the dialling side opens even channels, the other odd ones, so that both may open at once. */
  side: "dialler" | "listener";
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

  /** Opens a channel. On a link that has closed, the channel is closed at once. */
  open(kind: string, params: unknown): Channel {
    const request = encodeJson({ kind, params });
    const id = this.#nextId;
    this.#nextId += 2;
    const channel = new Channel(this.#port(id));
    if (this.#closed) {
      queueMicrotask(() => channel.receiveClose({ code: "link_closed" }));
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
        if (this.#channels.delete(id)) this.#send(frameTypes.close, id, encodeJson(reason));
      },
    };
  }

  #send(type: FrameType, channel: number, payload: Uint8Array): void {
    if (!this.#closed) this.#options.send(encodeFrame(type, channel, payload));
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function encodeJson(value: unknown): Uint8Array {
  const payload = encoder.encode(JSON.stringify(value));
  // The peer would close the whole link.
  if (payload.byteLength > linkLimits.maxMessageBytes)
    throw new MessageTooLong("the message is longer than the link takes");
  return payload;
}

function decodeJson(payload: Uint8Array): unknown {
  const value = parseJson(decoder.decode(payload));
  if (value === undefined) throw new LinkViolation("a message is not JSON");
  return value;
}

function encodeCredit(bytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return payload;
}

function decodeCredit(payload: Uint8Array): number {
  if (payload.byteLength !== 4) throw new LinkViolation("a credit is not four bytes");
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0);
}

function decodeClose(payload: Uint8Array): { code?: string; detail?: string } {
  const value = decodeJson(payload);
  if (typeof value !== "object" || value === null) throw new LinkViolation("a close without a reason");
  return {
    ...("code" in value && typeof value.code === "string" ? { code: value.code.slice(0, 64) } : {}),
    ...("detail" in value && typeof value.detail === "string" ? { detail: value.detail.slice(0, 1024) } : {}),
  };
}
