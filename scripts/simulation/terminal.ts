import type { SimulatedProcess } from "./process.ts";
import type { SimulatedPty } from "./pty.ts";
import { EpochTruth } from "./truth.ts";
import { TypedStreams } from "./typed.ts";

/** A terminal as the world knows it: what its programs wrote in each life, and what was typed. */
export class SimulatedTerminal {
  readonly id: string;
  readonly typed = new TypedStreams();
  readonly #lives = new Map<number, EpochTruth>();
  #truth = new EpochTruth(0, 0);
  /** The program that runs; undefined before the first, and after its PTY host died. */
  pty: SimulatedPty | undefined;
  /** The PTY host's process that runs it. */
  process: SimulatedProcess | undefined;

  constructor(id: string) {
    this.id = id;
  }

  /** What the newest life has put out. */
  get truth(): EpochTruth {
    return this.#truth;
  }

  truthOf(epoch: number): EpochTruth | undefined {
    return this.#lives.get(epoch);
  }

  /** Its program has ended, or was lost and is not started anew. */
  exited = false;

  /** The program writes so many bytes, unless it is held. */
  emit(bytes: number): void {
    const { pty, process } = this;
    if (pty) process?.run(() => pty.emit(bytes));
  }

  /** The program reads so many bytes of its input, and then no more. */
  reads(bytes: number): void {
    if (this.pty) this.pty.inputRoom = bytes;
  }

  /** The program ends by itself. */
  exit(): void {
    const { pty, process } = this;
    if (!pty) return;
    this.exited = true;
    this.pty = undefined;
    this.typed.ended();
    process?.run(() => pty.exit(0));
  }

  /** Its PTY host died. */
  lose(resumes: boolean): void {
    if (this.pty && !resumes) {
      this.exited = true;
      this.typed.ended();
    }
    this.pty = undefined;
    this.process = undefined;
    this.typed.forgotten();
  }

  begin(pty: SimulatedPty, process: SimulatedProcess): void {
    this.pty = pty;
    this.process = process;
    this.exited = false;
    this.#truth = pty.truth;
    this.#lives.set(pty.truth.epoch, pty.truth);
  }
}
