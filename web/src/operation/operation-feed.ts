import {
  type Client,
  getOperation,
  type Operation,
  type OperationLog,
  operationEventSchemas,
  operationEvents,
  routeUrl,
  type Step,
} from "@berth/protocol";
import { Value } from "typebox/value";
import { EventStream } from "../api/event-stream.ts";
import { Store } from "../api/store.ts";

/** Log lines of a step that are shown at most; the oldest go first. */
export const shownLines = 2000;

/** One line, and whose words it is. */
export type LogLine = Pick<OperationLog, "source" | "text">;

/** An operation and what its steps have said. */
export interface OperationView {
  readonly operation: Operation | undefined;
  /** Step → its log, the oldest line first. */
  readonly logs: ReadonlyMap<string, readonly LogLine[]>;
  /** The operation is unknown to the controller. */
  readonly missing: boolean;
}

/** Follows an operation until it is done: its steps tick and its logs grow. */
export class OperationFeed {
  readonly state = new Store<OperationView>({ operation: undefined, logs: new Map(), missing: false });
  readonly #stream: EventStream;
  #closed = false;

  constructor(api: Client, id: string) {
    void this.#load(api, id);
    this.#stream = new EventStream({
      url: routeUrl(operationEvents, { params: { id } }),
      names: Object.keys(operationEventSchemas),
      // A stream that is not resumed tells everything again from the start.
      onLive: (resumed) => {
        if (!resumed) this.state.update((view) => ({ ...view, logs: new Map() }));
      },
      onEvent: (name, data) => this.#apply(name, data),
    });
  }

  close(): void {
    this.#closed = true;
    this.#stream.close();
  }

  async #load(api: Client, id: string): Promise<void> {
    try {
      const operation = await api.call(getOperation, { params: { id } });
      if (!this.#closed) this.state.update((view) => ({ ...view, operation: newer(view.operation, operation) }));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "not_found") {
        this.close();
        this.state.update((view) => ({ ...view, missing: true }));
      }
    }
  }

  #apply(name: string, data: unknown): void {
    if (name === "step" && Value.Check(operationEventSchemas.step, data)) this.#step(data);
    else if (name === "log" && Value.Check(operationEventSchemas.log, data)) this.#log(data);
    else if (name === "done" && Value.Check(operationEventSchemas.done, data)) {
      this.#stream.close();
      this.state.update((view) => ({ ...view, operation: data }));
    }
  }

  #step(step: Step): void {
    this.state.update((view) => {
      if (!view.operation || isOver(view.operation)) return view;
      const steps = view.operation.steps.map((known) => (known.name === step.name ? step : known));
      return { ...view, operation: { ...view.operation, state: "running", steps } };
    });
  }

  #log({ step, source, text }: OperationLog): void {
    const told = text.replace(/\n$/, "").split("\n");
    const added = told.map((line) => ({ source, text: line }));
    this.state.update((view) => {
      const lines = [...(view.logs.get(step) ?? []), ...added].slice(-shownLines);
      return { ...view, logs: new Map(view.logs).set(step, lines) };
    });
  }
}

/** Whether nothing more will happen. */
export function isOver(operation: Operation): boolean {
  return operation.state !== "queued" && operation.state !== "running";
}

/** An answer may be older than what the events have said since. */
function newer(known: Operation | undefined, answer: Operation): Operation {
  return known && isOver(known) ? known : answer;
}
