import { BerthError } from "@berth/protocol";
import { type Channel, type CloseReason, type FileWriterMessage, fileWriterMessageSchema } from "@berth/protocol/link";
import { Compile } from "typebox/compile";

/** A file as it is in its sandbox. */
export type WrittenFile = Pick<Extract<FileWriterMessage, { type: "written" }>, "path" | "bytes">;

const writerMessage = Compile(fileWriterMessageSchema);

const times = {
  /** How long the agent may take to answer, or to take anything more. */
  silenceMs: 30_000,
  /** How long it may take to bring the file to disk. */
  writtenMs: 120_000,
} as const;

/**
 * Sends a file over a channel of `fileWriteChannelKind`, no faster than it is written, and resolves when it is on the
 * sandbox's disk. Rejects with `BerthError`; then nothing of the file is left there.
 */
export async function sendFile(channel: Channel, file: AsyncIterable<Uint8Array>): Promise<WrittenFile> {
  const writer = new Writer(channel);
  try {
    await writer.until(() => writer.accepted || undefined, times.silenceMs);
    let bytes = 0;
    for await (const chunk of file) {
      await writer.until(() => channel.hasRoomForBulk || undefined, times.silenceMs);
      channel.send(chunk);
      bytes += chunk.byteLength;
    }
    channel.sendMessage({ type: "end", bytes });
    return await writer.until(() => writer.written, times.writtenMs);
  } finally {
    // After the file was written this does nothing; before, the agent then keeps nothing of it.
    channel.close({ code: "cancelled" });
  }
}

/** The far end of the channel, as far as it is known here. */
class Writer {
  accepted = false;
  written: WrittenFile | undefined;
  #closed: CloseReason | undefined;
  #wake: () => void = () => {};

  constructor(channel: Channel) {
    channel.handle({
      onMessage: (message) => {
        if (!writerMessage.Check(message)) return this.#close({ detail: "it answered nonsense" });
        if (message.type === "accepted") this.accepted = true;
        else this.written = { path: message.path, bytes: message.bytes };
        this.#wake();
      },
      onCredit: () => this.#wake(),
      onClose: (reason) => this.#close(reason),
    });
  }

  /** Waits until something is there. Rejects when the channel is closed first, or nothing happens for so long. */
  async until<T>(look: () => T | undefined, ms: number): Promise<T> {
    const timer = setTimeout(() => this.#close({ detail: "it did not go on in time" }), ms);
    try {
      for (;;) {
        const found = look();
        if (found !== undefined) return found;
        if (this.#closed) throw failure(this.#closed);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #close(reason: CloseReason): void {
    this.#closed ??= reason;
    this.#wake();
  }
}

/** Why an agent took no file, in the words of the outside contract. */
function failure({ code, detail = "it said no reason" }: CloseReason): BerthError {
  switch (code) {
    case "insufficient_storage":
      return new BerthError(code, "The sandbox's disk is full.", {
        hint: "Make room in it, or give it a larger disk.",
      });
    case "limit_exceeded":
      return new BerthError(code, `The file was not taken: ${detail}.`, { hint: "Send it when others are done." });
    case "payload_too_large":
      return new BerthError(code, `The file was not taken: ${detail}.`);
    case "conflict":
      return new BerthError(code, `The file was not taken: ${detail}.`, {
        hint: "Make room for the folder .berth/dropped in the workspace, with the sandbox's user as its owner.",
      });
    case "invalid_request":
      return new BerthError("sandbox_not_ready", "The sandbox's agent does not take files.", {
        hint: "Its agent is older than this Berth: a new sandbox has a new one.",
      });
    default:
      return new BerthError("sandbox_not_ready", `The file did not reach the sandbox: ${code ?? detail}.`, {
        hint: "Send it again.",
      });
  }
}
