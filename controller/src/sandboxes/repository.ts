import type { Idle } from "@berth/protocol";
import type { Kysely, RawBuilder, UpdateObject } from "kysely";
import { sql } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import { besideKinds } from "../operations/beside.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import { driftBetween, settingsOfRow } from "./container-settings.ts";
import { presentSandbox, type SandboxRow } from "./record.ts";
import { toldSandbox } from "./told.ts";

export interface SandboxesDependencies {
  db: Kysely<Database>;
  /** Whether the agent of a sandbox is connected at this moment. */
  isConnected(sandboxId: string): boolean;
  /** How it stands with its sleep, as it was last found. */
  idle(sandboxId: string): Idle;
}

/** What a change writes: values, or expressions over the row as it is at that moment. */
export type SandboxPatch = UpdateObject<Database, "sandboxes">;

/** What the outside sees of a row: only a change of these is an event. */
const visible = [
  "name",
  "state",
  "error",
  "cores",
  "memory_mib",
  "disk_gib",
  "vlan",
  "on_boot",
  "protection",
  "restart_needed",
  "drift",
  "node",
  "vmid",
  "address",
  "env",
  "agent_version",
  "attention",
  "sleep_after",
] as const satisfies (keyof SandboxRow)[];

const visiblyChanged: RawBuilder<unknown> = sql.raw(
  `(${visible.map((column) => `changed.${column}`)}) is distinct from (${visible.map((column) => `before.${column}`)})`,
);

/** The sandboxes' rows, and the events that tell of their changes. */
export class Sandboxes {
  readonly #db: Kysely<Database>;
  readonly #deps: SandboxesDependencies;

  constructor(dependencies: SandboxesDependencies) {
    this.#db = dependencies.db;
    this.#deps = dependencies;
  }

  find(id: string): Promise<SandboxRow | undefined> {
    return this.#db.selectFrom("sandboxes").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** The name of the user whose a sandbox is. */
  async ownerName({ owner_id }: Pick<SandboxRow, "owner_id">): Promise<string> {
    const user = this.#db.selectFrom("users").select("username").where("id", "=", owner_id);
    return (await user.executeTakeFirstOrThrow()).username;
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

  /**
   * Changes a row and brings the given copy up to date; tells of it if the outside can see the change. One statement, so
   * that what is told is what was written, and a change costs a single turn.
   */
  change(row: SandboxRow, patch: SandboxPatch): Promise<void> {
    return this.#change(this.#db, row, patch);
  }

  /** The same inside the caller's transaction. */
  changeIn({ trx }: UnitOfWork, row: SandboxRow, patch: SandboxPatch): Promise<void> {
    return this.#change(trx, row, patch);
  }

  /**
   * The same where the caller's transaction ends the work on a sandbox: told in any case, since the outside sees of it
   * which work there is.
   */
  async endWorkIn({ trx }: UnitOfWork, row: SandboxRow, patch: SandboxPatch): Promise<void> {
    Object.assign(row, await this.#changeAndTell(trx, row.id, patch, sql`true`));
  }

  /**
   * Writes down that the container has the settings of the given copy. What was changed meanwhile is still to be done.
   */
  async noteChanged(row: SandboxRow, patch: SandboxPatch): Promise<void> {
    const applied = settingsOfRow(row);
    await inTransaction(this.#db, async (work) => {
      const now = await this.lock(work, row.id);
      if (!now) return;
      const done = driftBetween(settingsOfRow(now), applied).length === 0;
      await this.changeIn(work, row, { ...patch, ...(done ? { change_wanted: false } : {}) });
    });
  }

  /** Tells that a sandbox is as it is now. */
  async announce({ trx }: UnitOfWork, { id }: SandboxRow): Promise<void> {
    await this.#announceOn(trx, id);
  }

  /** The same outside of a transaction. */
  announceNow({ id }: SandboxRow): Promise<void> {
    return this.#announceOn(this.#db, id);
  }

  async #change(db: Kysely<Database>, row: SandboxRow, patch: SandboxPatch): Promise<void> {
    const changed = visible.some((column) => patch[column] !== undefined)
      ? await this.#changeAndTell(db, row.id, patch)
      : await updated(db, patch).where("id", "=", row.id).returningAll().executeTakeFirst();
    if (changed) Object.assign(row, changed);
  }

  async #changeAndTell(
    db: Kysely<Database>,
    id: string,
    patch: SandboxPatch,
    isTold = visiblyChanged,
  ): Promise<SandboxRow | undefined> {
    const { rows } = await sql<SandboxRow>`
      with before as (select * from sandboxes where id = ${id} for update),
      changed as (${updated(db, patch)} from before where sandboxes.id = before.id returning sandboxes.*),
      told as (
        insert into events (owner_id, sandbox_id, type, data)
        select changed.owner_id, changed.id, 'sandbox', ${toldSandbox("changed", this.#live(id))}
        from changed, before where ${isTold})
      select * from changed`.execute(db);
    return rows[0];
  }

  async #announceOn(db: Kysely<Database>, id: string): Promise<void> {
    await sql`
      insert into events (owner_id, sandbox_id, type, data)
      select owner_id, id, 'sandbox', ${toldSandbox("sandboxes", this.#live(id))}
      from sandboxes where id = ${id}`.execute(db);
  }

  /** A row as the outside sees it. */
  async present(row: SandboxRow, db: Kysely<Database> = this.#db) {
    const operation = await db
      .selectFrom("operations")
      .select("id")
      .where("sandbox_id", "=", row.id)
      .where("kind", "not in", besideKinds)
      .where("state", "in", ["queued", "running"])
      .executeTakeFirst();
    return presentSandbox(row, { ...this.#live(row.id), operationId: operation?.id ?? null });
  }

  /** What is known of a sandbox at this moment, and kept nowhere. */
  #live(id: string): { agentConnected: boolean; idle: Idle } {
    return { agentConnected: this.#deps.isConnected(id), idle: this.#deps.idle(id) };
  }
}

function updated(db: Kysely<Database>, patch: SandboxPatch) {
  return db.updateTable("sandboxes").set({ ...patch, updated_at: sql<Date>`now()` });
}
