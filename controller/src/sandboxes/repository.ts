import type { Kysely, Updateable } from "kysely";
import { sql } from "kysely";
import type { EventLog } from "../events/log.ts";
import type { UnitOfWork } from "../http/context.ts";
import type { Database, SandboxesTable } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import { presentSandbox, type SandboxRow } from "./record.ts";

export interface SandboxesDependencies {
  db: Kysely<Database>;
  events: EventLog;
  /** Whether the agent of a sandbox is connected at this moment. */
  isConnected(sandboxId: string): boolean;
}

/** What the outside sees of a row: only a change of these is an event. */
const visible = [
  "name",
  "state",
  "error",
  "cores",
  "memory_mib",
  "disk_gib",
  "node",
  "vmid",
  "address",
  "env",
  "agent_version",
] as const satisfies (keyof SandboxRow)[];

/** The sandboxes' rows, and the events that tell of their changes. */
export class Sandboxes {
  readonly #db: Kysely<Database>;
  readonly #events: EventLog;
  readonly #isConnected: (sandboxId: string) => boolean;

  constructor(dependencies: SandboxesDependencies) {
    this.#db = dependencies.db;
    this.#events = dependencies.events;
    this.#isConnected = dependencies.isConnected;
  }

  find(id: string): Promise<SandboxRow | undefined> {
    return this.#db.selectFrom("sandboxes").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** The sandboxes whose time to be looked at has come. */
  async due(now: Date): Promise<string[]> {
    const rows = await this.#db.selectFrom("sandboxes").select("id").where("look_at", "<=", now).execute();
    return rows.map(({ id }) => id);
  }

  /** The row as it is now, held until the transaction ends, so that those who want it take turns. */
  lock({ trx }: UnitOfWork, id: string): Promise<SandboxRow | undefined> {
    return trx.selectFrom("sandboxes").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
  }

  /** Changes a row and brings the given copy up to date; tells of it if the outside can see the change. */
  async change(row: SandboxRow, patch: Updateable<SandboxesTable>): Promise<void> {
    await inTransaction(this.#db, (work) => this.changeIn(work, row, patch));
  }

  /** The same inside the caller's transaction. */
  async changeIn(work: UnitOfWork, row: SandboxRow, patch: Updateable<SandboxesTable>): Promise<void> {
    const changed = await work.trx
      .updateTable("sandboxes")
      .set({ ...patch, updated_at: sql<Date>`now()` })
      .where("id", "=", row.id)
      .returningAll()
      .executeTakeFirst();
    if (!changed) return;
    const seen = visible.some((field) => JSON.stringify(changed[field]) !== JSON.stringify(row[field]));
    Object.assign(row, changed);
    if (seen) await this.announce(work, changed);
  }

  /** Tells that a sandbox is as it is now. */
  async announce(work: UnitOfWork, row: SandboxRow): Promise<void> {
    await this.#events.append(work.trx, {
      ownerId: row.owner_id,
      sandboxId: row.id,
      type: "sandbox",
      data: await this.present(row, work.trx),
    });
  }

  /** A row as the outside sees it. */
  async present(row: SandboxRow, db: Kysely<Database> = this.#db) {
    const operation = await db
      .selectFrom("operations")
      .select("id")
      .where("sandbox_id", "=", row.id)
      .where("state", "in", ["queued", "running"])
      .executeTakeFirst();
    return presentSandbox(row, { agentConnected: this.#isConnected(row.id), operationId: operation?.id ?? null });
  }
}
