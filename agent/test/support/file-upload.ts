import { type Channel, type CloseReason, fileWriteChannelKind, type Multiplexer } from "@berth/protocol/link";
import { until } from "./pty-host.ts";

/** Who sends a file into a sandbox, step by step as a test wants it. */
export class FileUpload {
  readonly channel: Channel;
  readonly messages: unknown[] = [];
  closed: CloseReason | undefined;

  constructor(link: Multiplexer, name: string, maxBytes = 64 * 1024 * 1024) {
    this.channel = link.open(fileWriteChannelKind, { place: "dropped", name, maxBytes });
    this.channel.handle({
      onMessage: (message) => this.messages.push(message),
      onClose: (reason) => {
        this.closed = reason;
      },
    });
  }

  /** Waits until the file is accepted, or refused. */
  async answered(): Promise<this> {
    await until(() => this.messages.length > 0 || this.closed !== undefined);
    return this;
  }

  /** Sends bytes as the window lets it; stops where the channel is closed. */
  async send(bytes: Uint8Array, chunkBytes = 64 * 1024): Promise<void> {
    for (let offset = 0; offset < bytes.byteLength && !this.closed; offset += chunkBytes) {
      await until(() => this.channel.creditBytes > 0 || this.closed !== undefined);
      if (!this.closed) this.channel.send(bytes.subarray(offset, offset + chunkBytes));
    }
  }

  /** Says that it was all; answers the last message once the channel has closed. */
  async end(bytes: number): Promise<unknown> {
    this.channel.sendMessage({ type: "end", bytes });
    await until(() => this.closed !== undefined);
    return this.messages.at(-1);
  }

  /** The whole of it. */
  async whole(bytes: Uint8Array): Promise<unknown> {
    await this.answered();
    await this.send(bytes);
    return this.closed ? this.closed : this.end(bytes.byteLength);
  }
}
