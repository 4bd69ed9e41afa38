import type { FastifyBaseLogger } from "fastify";
import type { UnitOfWork } from "../http/context.ts";
import type { OperationJournal } from "./journal.ts";
import type { OperationRow } from "./record.ts";

/** The reason of a signal: whoever asked for the operation does not want it any more. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

export interface RunningOperationsDependencies {
  readonly journal: OperationJournal;
  readonly log: FastifyBaseLogger;
}

/** The operations beside the reconciler's that this controller works on. */
export class RunningOperations {
  readonly #deps: RunningOperationsDependencies;
  readonly #running = new Map<string, { over: AbortController; done: Promise<void> }>();
  #stopped = false;

  constructor(dependencies: RunningOperationsDependencies) {
    this.#deps = dependencies;
  }

  /**
   * Has it done, unless the controller stops. `perform` writes its end down; where its signal is aborted for another
   * reason than `Cancelled`, it leaves the operation open, for the next controller.
   */
  begin(operation: OperationRow, perform: (signal: AbortSignal) => Promise<void>): void {
    if (this.#stopped) return;
    const { id: operationId, kind } = operation;
    const over = new AbortController();
    const done = perform(over.signal)
      .catch((err: unknown) =>
        this.#deps.log.error({ operationId, kind, err }, "the end of an operation could not be written down"),
      )
      .finally(() => this.#running.delete(operationId));
    this.#running.set(operationId, { over, done });
  }

  /** Gives it up after the commit. It ends when its work has. */
  cancel({ afterCommit }: UnitOfWork, operation: OperationRow): void {
    afterCommit(() => {
      const running = this.#running.get(operation.id);
      if (running) running.over.abort(new Cancelled("cancelled"));
      else void this.#deps.journal.cancel(operation).catch(() => {});
    });
  }

  /** Ends what runs; the operations stay open, for the next controller. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const running = [...this.#running.values()];
    for (const { over } of running) over.abort(new Error("the controller stops"));
    await Promise.all(running.map(({ done }) => done));
  }
}
