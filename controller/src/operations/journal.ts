import type { Clock } from "@berth/base";
import {
  type Failure,
  type OperationLog,
  operationEventSchemas,
  type SandboxOperationKind,
  type Step,
  type StepName,
} from "@berth/protocol";
import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { Value } from "typebox/value";
import type { EventLog } from "../events/log.ts";
import type { Database, SandboxesTable } from "../store/tables.ts";
import { besideKinds } from "./beside.ts";
import { factsOf, told } from "./facts.ts";
import { allDone, failedAt, givenUp, stepBegun } from "./progress.ts";
import { type OperationRow, queuedOperation } from "./record.ts";

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

  /** The operation on this sandbox that has not ended; what goes on beside the reconciler is none of these. */
  current(sandboxId: string, db: Kysely<Database> = this.#db): Promise<OperationRow | undefined> {
    return db
      .selectFrom("operations")
      .selectAll()
      .where("sandbox_id", "=", sandboxId)
      .where("kind", "not in", besideKinds)
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

  /**
   * Begins an operation on a sandbox with its step of this name: one statement. It waits for whoever holds the sandbox's
   * row, such as to write a wish; undefined: there is another operation under way then, or no sandbox.
   */
  async begin(
    sandbox: Pick<Selectable<SandboxesTable>, "id" | "name" | "owner_id">,
    kind: SandboxOperationKind,
    name: StepName,
  ): Promise<OperationRow | undefined> {
    const now = this.#now();
    const queued = queuedOperation(sandbox, kind, now);
    const operation: OperationRow = { ...queued, state: "running", steps: stepBegun(queued.steps, name, null, now) };
    const { id, owner_id, sandbox_id, sandbox_name, state, steps } = operation;
    const { rows } = await sql`
      with changed as (
        insert into operations (id, owner_id, sandbox_id, sandbox_name, kind, state, steps, created_at)
        select ${id}, ${owner_id}, id, ${sandbox_name}, ${kind}, ${state}, ${JSON.stringify(steps)}::jsonb, ${now}
        from sandboxes where id = ${sandbox_id} for update
        on conflict do nothing
        returning id, owner_id, sandbox_id)
      ${told(factsOf(queued, operation))}`.execute(this.#db);
    return rows.length > 0 ? operation : undefined;
  }

  /** Says that a step runs, what it does or waits for, and how much of it is done (0 to 1). Does nothing if that was said before. */
  async step(
    operation: OperationRow,
    name: StepName,
    detail: string | null = null,
    progress: number | null = null,
  ): Promise<void> {
    const steps = stepBegun(operation.steps, name, detail, this.#now(), progress);
    if (operation.state === "running" && JSON.stringify(steps) === JSON.stringify(operation.steps)) return;
    await this.#write(this.#db, operation, { state: "running", steps });
  }

  /** Adds a line to the log of a step. */
  async log(operation: OperationRow, step: StepName, source: OperationLog["source"], text: string): Promise<void> {
    const line: OperationLog = { step, source, text: text.slice(0, 4096), at: this.#now().toISOString() };
    await this.#events.append(this.#db, {
      ownerId: operation.owner_id,
      sandboxId: operation.sandbox_id,
      operationId: operation.id,
      type: "log",
      data: line,
    });
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

  /** Ends the operation well. `result` is what came of it, where there is more to say. */
  async succeed(operation: OperationRow, result?: Record<string, unknown>): Promise<void> {
    const steps = allDone(operation.steps, this.#now());
    await this.#write(this.#db, operation, { state: "succeeded", steps, ...(result === undefined ? {} : { result }) });
  }

  /** The same inside the caller's transaction. */
  async succeedIn(trx: Transaction<Database>, operation: OperationRow): Promise<void> {
    await this.#write(trx, operation, { state: "succeeded", steps: allDone(operation.steps, this.#now()) });
  }

  /** Ends the operation at a step that could not be done. */
  async fail(operation: OperationRow, name: StepName | undefined, failure: Failure): Promise<void> {
    await this.failIn(this.#db, operation, name, failure);
  }

  /** The same inside the caller's transaction. */
  async failIn(
    trx: Kysely<Database>,
    operation: OperationRow,
    name: StepName | undefined,
    failure: Failure,
  ): Promise<void> {
    const steps = failedAt(operation.steps, name, failure, this.#now());
    await this.#write(trx, operation, { state: "failed", steps, error: failure });
  }

  /** Ends the operation as one that is not wanted any more. */
  async cancel(operation: OperationRow): Promise<void> {
    await this.#write(this.#db, operation, { state: "cancelled", steps: givenUp(operation.steps, this.#now()) });
  }

  /** Ends the operation because something else is wanted now, inside the caller's transaction. */
  async supersede(trx: Transaction<Database>, operation: OperationRow): Promise<void> {
    await this.#write(trx, operation, { state: "cancelled", steps: givenUp(operation.steps, this.#now()) });
  }

  /** Writes a change and the events that tell of it: one statement, in the caller's transaction or in one of its own. */
  async #write(db: Kysely<Database>, operation: OperationRow, { state, steps, error, result }: Change): Promise<void> {
    const finished = state === "running" ? null : this.#now();
    const end = { error: error ?? null, result: result ?? null, finished_at: finished };
    const after: OperationRow = { ...operation, state, steps, ...end };
    const { rows } = await sql`
      with changed as (
        update operations
        set state = ${state}, steps = ${JSON.stringify(steps)}::jsonb,
          error = ${error ? JSON.stringify(error) : null}::jsonb,
          result = ${result ? JSON.stringify(result) : null}::jsonb, finished_at = ${finished}
        -- An operation that has ended stays as it ended, whatever a late step says.
        where id = ${operation.id} and state in ('queued', 'running')
        returning id, owner_id, sandbox_id)
      ${told(factsOf(operation, after))}
`.execute(db);
    if (rows.length > 0) Object.assign(operation, after);
  }

  #now(): Date {
    return new Date(this.#clock.now());
  }
}

interface Change {
  state: "running" | "succeeded" | "failed" | "cancelled";
  steps: Step[];
  error?: Failure;
  result?: Record<string, unknown>;
}
