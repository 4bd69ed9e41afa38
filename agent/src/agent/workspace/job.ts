import {
  CallFailure,
  type Channel,
  inputEndSchema,
  type WorkspaceMessage,
  workspaceLimits,
} from "@berth/protocol/link";
import { Value } from "typebox/value";

/** Lines are sent together up to so many bytes, and no frame is longer. */
const portionBytes = 32 * 1024;

/**
 * One call of the controller's: what comes in, and what goes out, each no faster than the other end takes it. Whatever
 * waits rejects once the signal has aborted.
 */
export class Job {
  /** Aborts when the controller has closed the channel, or the link is gone: nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  readonly #channel: Channel;
  readonly #gone = new AbortController();
  readonly #incoming: Buffer[] = [];
  #incomingBytes = 0;
  #endBytes: number | undefined;
  #broken = false;
  #lines: string[] = [];
  #lineBytes = 0;
  #wake = () => {};

  constructor(channel: Channel) {
    this.#channel = channel;
    this.signal = this.#gone.signal;
    channel.handle({
      onData: (payload) => {
        // The bytes are the link's again after this call.
        this.#incoming.push(Buffer.from(payload));
        this.#wake();
      },
      onMessage: (message) => {
        if (Value.Check(inputEndSchema, message)) this.#endBytes = message.bytes;
        else this.#broken = true;
        this.#wake();
      },
      onCredit: () => this.#wake(),
      onClose: () => {
        this.#gone.abort(new CallFailure("cancelled", "the call was cancelled"));
        this.#wake();
      },
    });
  }

  /** The call's input, to its end. Throws `CallFailure` where it is longer than that, or its end does not fit. */
  async *input(maxBytes: number): AsyncGenerator<Buffer> {
    this.#tell({ type: "ready" });
    for (;;) {
      await this.#until(() => this.#incoming.length > 0 || this.#endBytes !== undefined || this.#broken);
      const chunk = this.#incoming.shift();
      if (!chunk) break;
      this.#incomingBytes += chunk.byteLength;
      if (this.#incomingBytes > maxBytes)
        throw new CallFailure("payload_too_large", `the input has more than ${maxBytes} bytes`);
      yield chunk;
      this.#channel.consumed(chunk.byteLength);
    }
    if (this.#endBytes !== this.#incomingBytes)
      throw new CallFailure("invalid_request", "the input's end does not fit its bytes");
  }

  /** The first of what goes out, once. */
  answer(value: unknown): void {
    this.#tell({ type: "answer", value });
  }

  /** Sends bytes behind the answer, as the window lets them. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.byteLength; offset += portionBytes) {
      await this.#until(() => this.#channel.hasRoomForBulk);
      this.#channel.send(bytes.subarray(offset, offset + portionBytes));
    }
  }

  /** Sends one record behind the answer. Records go together; `flush` brings the last of them on their way. */
  async record(value: unknown): Promise<void> {
    const line = `${JSON.stringify(value)}\n`;
    const bytes = Buffer.byteLength(line);
    if (bytes > workspaceLimits.recordBytes)
      throw new CallFailure("payload_too_large", "a part of the answer is too long");
    this.#lines.push(line);
    this.#lineBytes += bytes;
    if (this.#lineBytes >= portionBytes) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#lines.length === 0) return;
    const portion = Buffer.from(this.#lines.join(""));
    this.#lines = [];
    this.#lineBytes = 0;
    await this.write(portion);
  }

  #tell(message: WorkspaceMessage): void {
    this.#channel.sendMessage(message);
  }

  async #until(isSo: () => boolean): Promise<void> {
    for (;;) {
      this.signal.throwIfAborted();
      if (isSo()) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
