import type { Pty, PtyOptions } from "../../agent/src/pty-host/pty.ts";
import { type EpochTruth, programOutput } from "./truth.ts";
import type { TypedStreams } from "./typed.ts";

/** A program in a PTY without a kernel: the schedule lets it write and read. */
export class SimulatedPty implements Pty {
  readonly pid = 0;
  readonly slave = "";
  readonly truth: EpochTruth;
  /** Bytes of input that the program takes before it stops reading. */
  inputRoom = Number.POSITIVE_INFINITY;
  paused = false;
  readonly sizes: { cols: number; rows: number }[] = [];
  #ended = false;
  readonly #options: PtyOptions;
  readonly #typed: TypedStreams;

  constructor(options: PtyOptions, truth: EpochTruth, typed: TypedStreams) {
    this.#options = options;
    this.#typed = typed;
    this.truth = truth;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The program writes so many bytes more, unless it is held. */
  emit(bytes: number): void {
    if (this.paused || this.#ended) return;
    const { truth } = this;
    const output = programOutput(truth.epoch, truth.writtenBytes, bytes);
    truth.writtenBytes += bytes;
    this.#options.onData(output);
  }

  exit(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.onExit({ code, signal: null });
  }

  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.byteLength, this.inputRoom);
    this.inputRoom -= taken;
    this.#typed.arrived(bytes.subarray(0, taken));
    return taken;
  }

  resize(cols: number, rows: number): void {
    const last = this.sizes.at(-1);
    if (last?.cols === cols && last.rows === rows) throw new Error("a resize that changes nothing");
    this.sizes.push({ cols, rows });
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** No host here is replaced by another version. */
  handOver(): undefined {
    return undefined;
  }

  async end(): Promise<void> {
    this.exit(0);
  }
}
