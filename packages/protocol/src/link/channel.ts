import { LinkViolation, linkLimits, MessageTooLong } from "./frames.ts";

/** Why a channel closed: no code means that it ended as it should. */
export interface CloseReason {
  code?: string;
  detail?: string;
}

/** What a channel needs of its link. */
export interface ChannelPort {
  sendData(payload: Uint8Array): void;
  sendMessage(message: unknown): void;
  sendCredit(bytes: number): void;
  sendClose(reason: CloseReason): void;
}

/** What the owner of a channel is told. Set once, before the turn in which the channel was made ends. */
export interface ChannelHandlers {
  /** The bytes are valid only during the call. Call `consumed` when they are out of memory. */
  onData?(payload: Uint8Array): void;
  onMessage?(message: unknown): void;
  /** The peer takes so many more bytes. */
  onCredit?(bytes: number): void;
  /** The peer closed, or the link went; not called after an own `close`. */
  onClose?(reason: CloseReason): void;
}

/**
 * One channel of a link: messages, and bytes under a window of their own. A sender may send while its credit is above
 * zero; the last frame may overdraw it. So a flood on one channel takes nothing from another.
 */
export class Channel {
  readonly #port: ChannelPort;
  #handlers: ChannelHandlers = {};
  #creditBytes: number = linkLimits.channelWindowBytes;
  #unconsumedBytes = 0;
  #owedCreditBytes = 0;
  #closed = false;

  constructor(port: ChannelPort) {
    this.#port = port;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes that may be sent now; zero or less means wait for `onCredit`. */
  get creditBytes(): number {
    return this.#closed ? 0 : this.#creditBytes;
  }

  /**
   * Whether less than half of the window is under way. Bulk that keeps to it lets a terminal's keys pass, which wait behind
   * it in the link's socket; credit comes a quarter of a window at a time, so it never stands still.
   */
  get hasRoomForBulk(): boolean {
    return this.creditBytes > linkLimits.channelWindowBytes / 2;
  }

  handle(handlers: ChannelHandlers): void {
    this.#handlers = handlers;
  }

  /** Sends bytes; the caller must have credit. After the close it does nothing. */
  send(payload: Uint8Array): void {
    if (this.#closed) return;
    if (this.#creditBytes <= 0) throw new Error("a channel's window is full: wait for credit");
    if (payload.byteLength > linkLimits.maxFrameBytes) throw new Error("a frame is too long");
    this.#creditBytes -= payload.byteLength;
    this.#port.sendData(payload);
  }

  sendMessage(message: unknown): void {
    if (!this.#closed) this.#port.sendMessage(message);
  }

  /** The receiver is done with so many bytes; the peer learns of it a quarter of a window at a time. */
  consumed(bytes: number): void {
    if (this.#closed) return;
    this.#unconsumedBytes -= bytes;
    this.#owedCreditBytes += bytes;
    if (this.#owedCreditBytes < linkLimits.channelWindowBytes / 4) return;
    this.#port.sendCredit(this.#owedCreditBytes);
    this.#owedCreditBytes = 0;
  }

  /** For a relay: the far end is done with so many bytes, and its word goes on at once. */
  passCredit(bytes: number): void {
    if (this.#closed) return;
    this.#unconsumedBytes -= bytes;
    this.#port.sendCredit(bytes);
  }

  close(reason: CloseReason = {}): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.sendClose(reason);
  }

  /** For the link: data came. */
  receiveData(payload: Uint8Array): void {
    if (this.#closed) return;
    // Credit that is still owed counts as taken: the sender does not know of it yet.
    if (this.#unconsumedBytes + this.#owedCreditBytes >= linkLimits.channelWindowBytes) {
      throw new LinkViolation("more data than the channel's window");
    }
    this.#unconsumedBytes += payload.byteLength;
    this.#handlers.onData?.(payload);
  }

  /** For the link: a message came. */
  receiveMessage(message: unknown): void {
    if (!this.#closed) this.#handlers.onMessage?.(message);
  }

  /** For the link: credit came. */
  receiveCredit(bytes: number): void {
    if (this.#closed) return;
    this.#creditBytes += bytes;
    if (this.#creditBytes > linkLimits.channelWindowBytes)
      throw new LinkViolation("more credit than the channel's window");
    this.#handlers.onCredit?.(bytes);
  }

  /** For the link: the peer closed the channel, or the link is gone. */
  receiveClose(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.onClose?.(reason);
  }
}

/**
 * Joins two channels of two links end to end. Credit passes through, so the window is the one between the two ends,
 * and this relay never holds more than that.
 */
export function relay(left: Channel, right: Channel): void {
  pass(left, right);
  pass(right, left);
}

function pass(from: Channel, to: Channel): void {
  from.handle({
    onData: (payload) => to.send(payload),
    onMessage: (message) => passMessage(message, from, to),
    onCredit: (bytes) => to.passCredit(bytes),
    onClose: (reason) => to.close(reason),
  });
}

/** A message may be longer when it is written anew (`1e20`): that ends the two channels, not the link. */
function passMessage(message: unknown, from: Channel, to: Channel): void {
  try {
    to.sendMessage(message);
  } catch (error) {
    if (!(error instanceof MessageTooLong)) throw error;
    for (const channel of [from, to]) channel.close({ code: error.code, detail: error.message });
  }
}
