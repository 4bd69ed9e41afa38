import type { Channel, CloseReason } from "@berth/protocol/link";
import { workspaceMessageSchema } from "@berth/protocol/link";
import { Compile } from "typebox/compile";

const agentMessage = Compile(workspaceMessageSchema);

/**
 * The controller's end of a workspace channel: what the agent says, as far as it came. No more than the channel's window
 * waits here.
 */
export class AnswerStream {
  readonly #channel: Channel;
  readonly #chunks: Buffer[] = [];
  readonly #whenOver: () => void;
  #ready = false;
  #answer: { readonly value: unknown } | undefined;
  #closed: CloseReason | undefined;
  #over = false;
  #wake = () => {};

  /** `whenOver` is called once, when the channel is closed from either side. */
  constructor(channel: Channel, signal: AbortSignal, whenOver: () => void) {
    this.#channel = channel;
    this.#whenOver = whenOver;
    channel.handle({
      onData: (payload) => {
        this.#chunks.push(Buffer.from(payload));
        this.#wake();
      },
      onMessage: (message) => this.#receive(message),
      onCredit: () => this.#wake(),
      onClose: (reason) => this.#end(reason),
    });
    if (channel.closed) this.#end({ code: "link_closed" });
    if (signal.aborted) this.cancel();
    else signal.addEventListener("abort", () => this.cancel(), { once: true });
  }

  /** Resolves when the agent takes input, or with false when it has answered without. */
  async ready(silenceMs: number): Promise<boolean> {
    await this.until(() => this.#ready || this.#answer !== undefined, silenceMs);
    return this.#ready;
  }

  /** Sends a part of the input, as the window lets it; false when nothing more is taken. */
  async send(bytes: Uint8Array, silenceMs: number): Promise<boolean> {
    await this.until(() => this.#channel.hasRoomForBulk, silenceMs);
    if (this.#closed) return false;
    this.#channel.send(bytes);
    return true;
  }

  endInput(bytes: number): void {
    this.#channel.sendMessage({ type: "end", bytes });
  }

  /** The answer's value, or why there is none. */
  async answer(silenceMs: number): Promise<{ value: unknown } | CloseReason> {
    await this.until(() => this.#answer !== undefined, silenceMs);
    return this.#answer ?? this.#closed ?? {};
  }

  /** The next bytes of the answer; undefined at its end, which `reason` tells of. */
  async next(silenceMs: number | undefined): Promise<Buffer | undefined> {
    await this.until(() => this.#chunks.length > 0, silenceMs);
    const chunk = this.#chunks.shift();
    if (chunk) this.#channel.consumed(chunk.byteLength);
    return chunk;
  }

  /** Why the channel is closed; without a code it ended as it should. Undefined while it is open. */
  get reason(): CloseReason | undefined {
    return this.#closed;
  }

  /** Nobody wants the rest: the agent stops. */
  cancel(): void {
    this.#channel.close({ code: "cancelled" });
    this.#end({ code: "cancelled", detail: "nobody waits for it any more" });
  }

  /** The agent broke the rules of the call. */
  violated(detail: string): void {
    this.#channel.close({ code: "violation", detail });
    this.#end({ code: "violation", detail });
  }

  /** Waits until it is so, or the channel is closed; closes it after so long without either. */
  async until(isSo: () => boolean, silenceMs: number | undefined): Promise<void> {
    if (isSo() || this.#closed) return;
    const give = () => {
      this.#channel.close({ code: "timeout" });
      this.#end({ code: "timeout", detail: "it did not go on in time" });
    };
    const timer = silenceMs === undefined ? undefined : setTimeout(give, silenceMs);
    try {
      while (!isSo() && !this.#closed) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #receive(message: unknown): void {
    if (!agentMessage.Check(message)) this.violated("it said nonsense");
    else if (message.type === "ready") this.#ready = true;
    else if (this.#answer) this.violated("it answered twice");
    else this.#answer = { value: message.value };
    this.#wake();
  }

  #end(reason: CloseReason): void {
    this.#closed ??= reason;
    this.#wake();
    if (this.#over) return;
    this.#over = true;
    this.#whenOver();
  }
}
