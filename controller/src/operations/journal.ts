import type { Clock } from "@berth/base";
import { type Failure, type OperationLog, operationEventSchemas, type Step, type StepName } from "@berth/protocol";
import type { Kysely, Transaction } from "kysely";
import { Value } from "typebox/value";
import type { EventLog } from "../events/log.ts";
import type { Database } from "../store/tables.ts";
import { allDone, failedAt, stepBegun } from "./progress.ts";
import { type OperationRow, presentOperation } from "./record.ts";

export interface JournalDependencies {
  db: Kysely<Database>;
  events: EventLog;
  clock: Clock;
}

/** Writes down how the work on a sandbox goes: its steps, its log and its end, each with the event that tells of it. */
export class OperationJournal {
  readonly #db: Kysely<Database>;
  readonly #events: EventLog;
  readonly #clock: Clock;

  constructor(dependencies: JournalDependencies) {
    this.#db = dependencies.db;
    this.#events = dependencies.events;
    this.#clock = dependencies.clock;
  }

  /** The operation on this sandbox that has not ended. */
  current(sandboxId: string, db: Kysely<Database> = this.#db): Promise<OperationRow | undefined> {
    return db
      .selectFrom("operations")
      .selectAll()
      .where("sandbox_id", "=", sandboxId)
      .where("state", "in", ["queued", "running"])
      .executeTakeFirst();
  }

  /** An operation that has not ended, by its id. */
  open(id: string): Promise<OperationRow | undefined> {
    return this.#db
      .selectFrom("operations")
      .selectAll()
      .where("id", "=", id)
      .where("state", "in", ["queued", "running"])
      .executeTakeFirst();
  }

  /** Whether an operation has ended by now, such as because something else is wanted. */
  async hasEnded({ id }: OperationRow): Promise<boolean> {
    const row = await this.#db.selectFrom("operations").select("finished_at").where("id", "=", id).executeTakeFirst();
    return row?.finished_at !== null;
  }

  /** Says that a step runs, and what it waits for. Does nothing if that was said before. */
  async step(operation: OperationRow, name: StepName, detail: string | null = null): Promise<void> {
    const steps = stepBegun(operation.steps, name, detail, this.#now());
    if (operation.state === "running" && JSON.stringify(steps) === JSON.stringify(operation.steps)) return;
    await this.#write(operation, { state: "running", steps });
  }

  /** Adds a line to the log of a step. */
  async log(operation: OperationRow, step: StepName, source: OperationLog["source"], text: string): Promise<void> {
    const line: OperationLog = { step, source, text: text.slice(0, 4096), at: this.#now().toISOString() };
    await this.#events.transaction((trx) =>
      this.#events.append(trx, {
        ownerId: operation.owner_id,
        sandboxId: operation.sandbox_id,
        operationId: operation.id,
        type: "log",
        data: line,
      }),
    );
  }

  /** How many lines of Proxmox's the log of a step has: where to go on after a restart. */
  async proxmoxLines(operation: OperationRow, step: StepName): Promise<number> {
    const { count } = await this.#proxmoxLog(operation, step)
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** What Proxmox has said in a step, the first line first. */
  async proxmoxText(operation: OperationRow, step: StepName): Promise<string[]> {
    const rows = await this.#proxmoxLog(operation, step).select("data").orderBy("id").execute();
    return rows.flatMap(({ data }) => (Value.Check(operationEventSchemas.log, data) ? [data.text] : []));
  }

  #proxmoxLog(operation: OperationRow, step: StepName) {
    return this.#db
      .selectFrom("events")
      .where("operation_id", "=", operation.id)
      .where("type", "=", "log")
      .where((eb) => eb(eb.ref("data", "->>").key("step" as never), "=", step as never))
      .where((eb) => eb(eb.ref("data", "->>").key("source" as never), "=", "proxmox" as never));
  }

  /** Ends the operation well. */
  async succeed(operation: OperationRow): Promise<void> {
    await this.#write(operation, { state: "succeeded", steps: allDone(operation.steps, this.#now()) });
  }

  /** The same inside the caller's transaction. */
  async succeedIn(trx: Transaction<Database>, operation: OperationRow): Promise<void> {
    await this.#writeIn(trx, operation, { state: "succeeded", steps: allDone(operation.steps, this.#now()) });
  }

  /** Ends the operation at a step that could not be done. */
  async fail(operation: OperationRow, name: StepName | undefined, failure: Failure): Promise<void> {
    await this.#events.transaction((trx) => this.failIn(trx, operation, name, failure));
  }

  /** The same inside the caller's transaction. */
  async failIn(
    trx: Transaction<Database>,
    operation: OperationRow,
    name: StepName | undefined,
    failure: Failure,
  ): Promise<void> {
    const steps = failedAt(operation.steps, name, failure, this.#now());
    await this.#writeIn(trx, operation, { state: "failed", steps, error: failure });
  }

  /** Ends the operation as one that is not wanted any more. */
  async cancel(operation: OperationRow): Promise<void> {
    await this.#write(operation, { state: "cancelled", steps: operation.steps });
  }

  /** Ends the operation because something else is wanted now, inside the caller's transaction. */
  async supersede(trx: Transaction<Database>, operation: OperationRow): Promise<void> {
    await this.#writeIn(trx, operation, { state: "cancelled", steps: operation.steps });
  }

  async #write(operation: OperationRow, change: Change): Promise<void> {
    await this.#events.transaction((trx) => this.#writeIn(trx, operation, change));
  }

  async #writeIn(trx: Transaction<Database>, operation: OperationRow, change: Change): Promise<void> {
    const ended = change.state !== "running";
    const row = await trx
      .updateTable("operations")
      .set({
        state: change.state,
        steps: JSON.stringify(change.steps),
        error: change.error ? JSON.stringify(change.error) : null,
        finished_at: ended ? this.#now() : null,
      })
      .where("id", "=", operation.id)
      // An operation that has ended stays as it ended, whatever a late step says.
      .where("state", "in", ["queued", "running"])
      .returningAll()
      .executeTakeFirst();
    if (!row) return;
    const about = { ownerId: row.owner_id, sandboxId: row.sandbox_id, operationId: row.id };
    for (const step of changedSteps(operation.steps, row.steps)) {
      await this.#events.append(trx, { ...about, type: "step", data: step });
    }
    if (ended) await this.#events.append(trx, { ...about, type: "done", data: presentOperation(row) });
    if (ended || operation.state !== row.state) {
      await this.#events.append(trx, {
        ownerId: row.owner_id,
        sandboxId: row.sandbox_id,
        type: "operation",
        data: presentOperation(row),
      });
    }
    Object.assign(operation, row);
  }

  #now(): Date {
    return new Date(this.#clock.now());
  }
}

interface Change {
  state: "running" | "succeeded" | "failed" | "cancelled";
  steps: Step[];
  error?: Failure;
}

function changedSteps(before: readonly Step[], after: readonly Step[]): Step[] {
  return after.filter((step, index) => JSON.stringify(step) !== JSON.stringify(before[index]));
}
