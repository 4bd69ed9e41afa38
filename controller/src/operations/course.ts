import type { Clock } from "@berth/base";
import type { StepName } from "@berth/protocol";
import type { OperationJournal } from "./journal.ts";
import type { OperationRow } from "./record.ts";

/** How often progress within a step is told of, in milliseconds. */
const tellEveryMs = 500;

/** Writes the course of a piece of work into its operation: steps as they begin, progress not more often than is of use. */
export class Course {
  readonly #journal: OperationJournal;
  readonly #clock: Clock;
  readonly #operation: OperationRow;
  #step: StepName | undefined;
  #told = Number.NEGATIVE_INFINITY;
  #writing = Promise.resolve();

  constructor({ journal, clock }: { journal: OperationJournal; clock: Clock }, operation: OperationRow) {
    this.#journal = journal;
    this.#clock = clock;
    this.#operation = operation;
  }

  /** A step runs. `fraction` is how much of it is done, from 0 to 1; null: nobody knows. */
  step(name: StepName, detail: string | null = null, fraction: number | null = null): void {
    const now = this.#clock.now();
    if (name === this.#step && now - this.#told < tellEveryMs) return;
    this.#step = name;
    this.#told = now;
    this.#write(() => this.#journal.step(this.#operation, name, detail, fraction));
  }

  /** A line of the log of the step that runs. */
  log(text: string): void {
    const step = this.#step;
    if (step !== undefined) this.#write(() => this.#journal.log(this.#operation, step, "berth", text));
  }

  /** Resolves once all of it is written. What cannot be is left out: the work itself does not depend on it. */
  async written(): Promise<void> {
    await this.#writing;
  }

  /** One after the other. */
  #write(what: () => Promise<void>): void {
    this.#writing = this.#writing.then(what).catch(() => {});
  }
}
