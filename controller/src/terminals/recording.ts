import { setImmediate } from "node:timers/promises";
import { BerthError, type RecordingParams, recordingLimits } from "@berth/protocol";
import { type Channel, type CloseReason, recordingChannelKind } from "@berth/protocol/link";
import type { AgentLink } from "../agents/link.ts";
import { AsciicastCheck, BadRecording } from "./asciicast-check.ts";

/** How long a sandbox may send nothing while it has credit, in milliseconds. */
const silentMs = 30_000;

/** What it needs of the link to a sandbox's agent. */
export type RecordedSandbox = Pick<AgentLink, "sandboxId" | "openChannel">;

/** Reads recordings from sandboxes, a few of each at a time. */
export class RecordingReads {
  readonly #reading = new Map<string, number>();

  /**
   * A terminal's recording, checked. Rejects with `BerthError` before its first byte: `not_found`, `limit_exceeded`,
   * `sandbox_not_ready`; what fails later is thrown by the iteration. Until the signal aborts or it is read to its end,
   * it holds a channel.
   */
  async open(link: RecordedSandbox, params: RecordingParams, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    const { sandboxId } = link;
    const reading = this.#reading.get(sandboxId) ?? 0;
    if (reading >= recordingLimits.atOnce) {
      throw new BerthError("limit_exceeded", `${reading} recordings of this sandbox are being read.`, {
        hint: "Wait until one of them is done.",
      });
    }
    this.#reading.set(sandboxId, reading + 1);
    const inflow = new Inflow(link.openChannel(recordingChannelKind, params), signal, () => this.#done(sandboxId));
    await inflow.begun();
    return checked(inflow);
  }

  #done(sandboxId: string): void {
    const reading = (this.#reading.get(sandboxId) ?? 1) - 1;
    if (reading > 0) this.#reading.set(sandboxId, reading);
    else this.#reading.delete(sandboxId);
  }
}

async function* checked(inflow: Inflow): AsyncGenerator<Buffer> {
  const check = new AsciicastCheck();
  try {
    for (let bytes = await inflow.next(); bytes; bytes = await inflow.next()) {
      const lines = check.pass(bytes);
      if (lines.byteLength > 0) yield lines;
      // Everybody else has a turn between two portions.
      await setImmediate();
    }
    check.end();
  } finally {
    inflow.close();
  }
}

/** What comes over a channel: no more than its window waits here. */
class Inflow {
  readonly #channel: Channel;
  readonly #whenDone: () => void;
  readonly #waiting: Buffer[] = [];
  #wake = () => {};
  /** Why nothing more comes. */
  #ended: CloseReason | undefined;
  #done = false;

  constructor(channel: Channel, signal: AbortSignal, whenDone: () => void) {
    this.#channel = channel;
    this.#whenDone = whenDone;
    channel.handle({
      onData: (payload) => this.#receive(payload),
      onClose: (reason) => this.#end(reason),
    });
    if (signal.aborted) this.close();
    else signal.addEventListener("abort", () => this.close(), { once: true });
  }

  /** Resolves when the first bytes are there; rejects with `BerthError` if none come. */
  async begun(): Promise<void> {
    await this.#something();
    if (this.#waiting.length === 0) throw refusal(this.#ended ?? {});
  }

  /** The next bytes, or undefined at the end. Throws if it ends in the midst. */
  async next(): Promise<Buffer | undefined> {
    await this.#something();
    const bytes = this.#waiting.shift();
    if (bytes) {
      this.#channel.consumed(bytes.byteLength);
      return bytes;
    }
    if (this.#ended?.code === undefined) return undefined;
    throw new BadRecording(`the sandbox ended it: ${this.#ended.code}`);
  }

  close(): void {
    this.#channel.close();
    this.#end({ code: "closed" });
  }

  #receive(payload: Uint8Array): void {
    // A frame may be longer than this, and one that is full of short lines takes long to check.
    if (payload.byteLength > recordingLimits.portionBytes) {
      this.#channel.close({ code: "violation", detail: "a portion of a recording is too long" });
      this.#end({ code: "violation" });
      return;
    }
    this.#waiting.push(Buffer.from(payload));
    this.#wake();
  }

  async #something(): Promise<void> {
    if (this.#waiting.length > 0 || this.#ended) return;
    const timer = setTimeout(() => {
      this.#channel.close();
      this.#end({ code: "timeout", detail: "it did not answer" });
    }, silentMs);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    clearTimeout(timer);
  }

  #end(reason: CloseReason): void {
    this.#ended ??= reason;
    this.#wake();
    if (this.#done) return;
    this.#done = true;
    this.#whenDone();
  }
}

function refusal({ code, detail }: CloseReason): BerthError {
  if (code === "not_found") return new BerthError("not_found", `There is no recording: ${detail ?? "it is gone"}.`);
  if (code === "limit_exceeded") return new BerthError("limit_exceeded", detail ?? "Too many recordings are read.");
  const hint = "Try again; restart the sandbox if it stays so, since older agents do not record.";
  return new BerthError("sandbox_not_ready", `The sandbox's agent did not send it: ${detail ?? code}.`, { hint });
}
