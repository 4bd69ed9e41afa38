import { type Clock, SerialQueue } from "@berth/base";
import type { StepName } from "@berth/protocol";
import type { OperationJournal } from "../operations/journal.ts";
import type { OperationRow } from "../operations/record.ts";

export interface OutputLogDependencies {
  journal: OperationJournal;
  operation: OperationRow;
  step: StepName;
  clock: Clock;
}

/** Lines are written down together: each entry is a transaction. In milliseconds, and in characters. */
const gatherMs = 250;
const entryChars = 4_000;
/** What is kept of one command's output; an installer's is a tenth of it. */
const keptChars = 1_000_000;

/** Writes what a program in a container says into the log of a step, bounded and a few lines at a time. */
export class OutputLog {
  readonly #deps: OutputLogDependencies;
  readonly #writing = new SerialQueue();
  #gathered: string[] = [];
  #gatheredChars = 0;
  #kept = 0;
  #timer = new AbortController();
  #last: string | undefined;
  #failure: unknown;

  constructor(dependencies: OutputLogDependencies) {
    this.#deps = dependencies;
  }

  add(line: string): void {
    if (line.trim() === "") return;
    this.#last = line;
    if (this.#kept > keptChars) return;
    this.#kept += line.length + 1;
    const text = this.#kept > keptChars ? "(It said more, which is not kept.)" : line;
    if (this.#gatheredChars + text.length + 1 > entryChars) this.#write();
    if (this.#gathered.length === 0) this.#writeSoon();
    this.#gathered.push(text);
    this.#gatheredChars += text.length + 1;
  }

  /** Says what the step is at. */
  detail(text: string): void {
    const { journal, operation, step } = this.#deps;
    this.#queue(() => journal.step(operation, step, text));
  }

  /** What was said last. */
  last(): string | undefined {
    return this.#last;
  }

  /** Writes what is left. Rejects with the first error of writing. */
  async end(): Promise<void> {
    this.#write();
    await this.#writing.run(async () => {});
    if (this.#failure !== undefined) throw this.#failure;
  }

  #writeSoon(): void {
    this.#timer = new AbortController();
    this.#deps.clock.sleep(gatherMs, this.#timer.signal).then(
      () => this.#write(),
      () => {},
    );
  }

  #write(): void {
    this.#timer.abort();
    if (this.#gathered.length === 0) return;
    const text = this.#gathered.join("\n");
    this.#gathered = [];
    this.#gatheredChars = 0;
    const { journal, operation, step } = this.#deps;
    this.#queue(() => journal.log(operation, step, "container", text));
  }

  /** One after the other: each reads what the one before has written. */
  #queue(write: () => Promise<void>): void {
    this.#writing.run(write).catch((error: unknown) => {
      this.#failure ??= error;
    });
  }
}
