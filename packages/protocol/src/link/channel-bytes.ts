import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import type { Channel, CloseReason } from "./channel.ts";

/** What the two ends of a channel of bytes tell each other. */
const byteMessageSchema = Type.Union([
  /** From who was called: bytes are welcome. */
  Type.Object({ type: Type.Literal("ready") }),
  /** There are no more bytes from this end. */
  Type.Object({ type: Type.Literal("end") }),
]);
type ByteMessage = Static<typeof byteMessageSchema>;

/** Frames are no longer, so that a terminal's keys do not wait long behind one. */
const portionBytes = 32 * 1024;

/** The channel was closed, by its other end or with its link. */
export class ChannelClosed extends Error {
  override readonly name = "ChannelClosed";
  readonly reason: CloseReason;

  constructor(reason: CloseReason) {
    super(reason.detail ?? reason.code ?? "the channel was closed");
    this.reason = reason;
  }
}

/**
 * One end of a channel that carries a stream of bytes each way, each no faster than who reads it, and with no more than
 * half of the window under way.
 */
export class ChannelBytes {
  /** Aborts with `ChannelClosed` when the channel closes from the other side or with its link. */
  readonly signal: AbortSignal;
  readonly #channel: Channel;
  readonly #gone = new AbortController();
  readonly #incoming: Uint8Array[] = [];
  #ready = false;
  #ended = false;
  #closed: CloseReason | undefined;
  #wakeReader = () => {};
  #wakeWriter = () => {};

  constructor(channel: Channel) {
    this.#channel = channel;
    this.signal = this.#gone.signal;
    channel.handle({
      onData: (payload) => {
        // The bytes are the link's again after this call.
        this.#incoming.push(Uint8Array.from(payload));
        this.#wakeReader();
      },
      onMessage: (message) => this.#receive(message),
      onCredit: () => this.#wakeWriter(),
      onClose: (reason) => this.#close(reason),
    });
  }

  /** Says that bytes are welcome. */
  tellReady(): void {
    this.#tell({ type: "ready" });
  }

  /** Waits for the other end to say so. Rejects with `ChannelClosed`. */
  async ready(): Promise<void> {
    await this.#untilRead(() => this.#ready || this.#closed !== undefined);
    if (!this.#ready) throw new ChannelClosed(this.#closed ?? {});
  }

  /** The bytes that come; for one reader, to the other end's last one. Throws `ChannelClosed` where the channel closes with a code before. */
  async *read(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      await this.#untilRead(() => this.#incoming.length > 0 || this.#ended || this.#closed !== undefined);
      const chunk = this.#incoming.shift();
      if (chunk) {
        this.#channel.consumed(chunk.byteLength);
        yield chunk;
      } else if (this.#ended || this.#closed?.code === undefined) return;
      else throw new ChannelClosed(this.#closed);
    }
  }

  /** Sends bytes as the window lets them; one call at a time. Rejects with `ChannelClosed`. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.byteLength; offset += portionBytes) {
      while (!this.#closed && !this.#channel.hasRoomForBulk) {
        await new Promise<void>((resolve) => {
          this.#wakeWriter = resolve;
        });
      }
      if (this.#closed) throw new ChannelClosed(this.#closed);
      this.#channel.send(bytes.subarray(offset, offset + portionBytes));
    }
  }

  /** Says that no more bytes come from this end; it may go on reading. */
  end(): void {
    this.#tell({ type: "end" });
  }

  /** Closes the channel; without a code it ended as it should. */
  close(reason: CloseReason = {}): void {
    this.#channel.close(reason);
    this.#close(reason);
  }

  #tell(message: ByteMessage): void {
    this.#channel.sendMessage(message);
  }

  #receive(message: unknown): void {
    if (!Value.Check(byteMessageSchema, message)) {
      this.close({ code: "violation", detail: "that is no message of a channel of bytes" });
      return;
    }
    if (message.type === "ready") this.#ready = true;
    else this.#ended = true;
    this.#wakeReader();
  }

  #close(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#gone.abort(new ChannelClosed(reason));
    this.#wakeReader();
    this.#wakeWriter();
  }

  async #untilRead(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }
}
