import type { Clock } from "@berth/base";
import type { Fault } from "./fault.ts";

/** Calls that are remembered. */
const maxCalls = 5_000;

/** A call that somebody made. */
export interface RecordedCall {
  /** Counted from 1 since the emulator's start. */
  readonly number: number;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Who says that he makes it: `user@realm`, `user@realm!token`, or nothing. */
  readonly caller: string;
  /** What befell it. */
  readonly fault: Fault | null;
  /** The status of its answer, also if that was lost on its way; null while, or if ever, it was not handled. */
  status: number | null;
}

/** The last calls of everybody, for tests that have to know what was asked of Proxmox, and how often. */
export class CallRecord {
  readonly #clock: Clock;
  #calls: RecordedCall[] = [];
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(call: Pick<RecordedCall, "method" | "target" | "caller">, fault: Fault | undefined): RecordedCall {
    this.#count += 1;
    const recorded = { ...call, number: this.#count, atMs: this.#clock.now(), fault: fault ?? null, status: null };
    this.#calls.push(recorded);
    if (this.#calls.length > 2 * maxCalls) this.#calls = this.#calls.slice(-maxCalls);
    return recorded;
  }

  /** The calls after this number, the oldest first. */
  since(number: number): readonly RecordedCall[] {
    return this.#calls.slice(-maxCalls).filter((call) => call.number > number);
  }
}
