import { BerthError } from "@berth/protocol";
import { InputQueue, InputStreams } from "./input.ts";
import { limits } from "./limits.ts";
import type { Viewer } from "./viewer.ts";

/** The input of one terminal: from viewers, whose streams are counted, and from calls. */
export class TerminalInput {
  readonly #queue: InputQueue<Viewer>;
  readonly #streams = new InputStreams<Viewer>(() => performance.now());
  /** Viewers to tell how much of their stream is written. */
  readonly #unacked = new Map<Viewer, number>();
  #ackTimer: NodeJS.Timeout | undefined;

  constructor(write: (bytes: Uint8Array) => number) {
    this.#queue = new InputQueue(write);
  }

  /** The streams of clients, for the host that takes over: what waits here comes again from them. */
  get written(): { id: string; bytes: number }[] {
    return this.#streams.written;
  }

  /** Remembers streams that another host knew. */
  restore(written: readonly { id: string; bytes: number }[]): void {
    this.#streams.restore(written);
  }

  /** Takes a viewer in; answers where its input begins. An older viewer with the same stream is closed. */
  attach(viewer: Viewer): number {
    const { input } = viewer.params;
    if (!input) return 0;
    const { offset, former } = this.#streams.attach(input.stream, input.offset, viewer);
    former?.close({ code: "superseded", detail: "the same input stream was attached again" });
    return offset;
  }

  /** Input from a viewer; the bytes must stay as they are. */
  receive(viewer: Viewer, bytes: Uint8Array): void {
    this.#queue.push(viewer, bytes, (written) => {
      viewer.inputConsumed(written);
      const stream = viewer.params.input?.stream;
      if (stream !== undefined) this.#ackSoon(viewer, this.#streams.wrote(stream, written));
    });
  }

  /** Input from a call; resolves when it is written. Throws `limit_exceeded` while too much waits. */
  type(bytes: Uint8Array): Promise<void> {
    if (this.#queue.pendingBytes + bytes.byteLength > limits.pendingInputBytes) {
      throw new BerthError("limit_exceeded", "the terminal's program does not read its input");
    }
    return new Promise((resolve) => this.#queue.push(undefined, bytes, (_, done) => done && resolve()));
  }

  /** A viewer has gone: what of its input was not written is dropped, and its stream says so. */
  leave(viewer: Viewer): void {
    this.#queue.drop(viewer);
    this.#unacked.delete(viewer);
    if (viewer.params.input) this.#streams.detach(viewer.params.input.stream, viewer);
  }

  /** The program has ended: input goes nowhere, and counts as taken. */
  clear(): void {
    this.#queue.clear();
  }

  #ackSoon(viewer: Viewer, offset: number): void {
    this.#unacked.set(viewer, offset);
    this.#ackTimer ??= setTimeout(() => {
      this.#ackTimer = undefined;
      for (const [told, written] of this.#unacked) told.inputWritten(written);
      this.#unacked.clear();
    }, limits.inputAckMs);
  }
}
