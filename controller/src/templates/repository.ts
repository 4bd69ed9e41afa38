import type { Kysely, Updateable } from "kysely";
import { sql } from "kysely";
import type { Database, TemplatesTable } from "../store/tables.ts";
import type { TemplateStatement } from "./mark.ts";
import type { TemplateRow } from "./record.ts";

/** The templates' rows. */
export class Templates {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  find(id: string): Promise<TemplateRow | undefined> {
    return this.#db.selectFrom("templates").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** All of them: those that were built last first. */
  all(): Promise<TemplateRow[]> {
    return this.#db
      .selectFrom("templates")
      .selectAll()
      .orderBy("built_at", (order) => order.desc().nullsFirst())
      .orderBy("id")
      .execute();
  }

  /** Those whose time to be looked at has come. */
  async due(now: Date): Promise<string[]> {
    const rows = await this.#db.selectFrom("templates").select("id").where("look_at", "<=", now).execute();
    return rows.map(({ id }) => id);
  }

  /** Changes a row and brings the given copy up to date. */
  async change(row: TemplateRow, patch: Updateable<TemplatesTable>, db: Kysely<Database> = this.#db): Promise<void> {
    const changed = await db
      .updateTable("templates")
      .set(patch)
      .where("id", "=", row.id)
      .returningAll()
      .executeTakeFirst();
    if (changed) Object.assign(row, changed);
  }

  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom("templates").where("id", "=", id).execute();
  }

  /**
   * Writes down a template that Proxmox has and the database does not: it was lost, or the template was built by hand.
   * One that is half-built has nobody who goes on with it, and is taken away.
   */
  async adopt(statement: TemplateStatement, node: string): Promise<void> {
    const ready = statement.state === "ready";
    await this.#db
      .insertInto("templates")
      .values({
        id: statement.id,
        owner_id: null,
        state: ready ? "ready" : "discarding",
        wanted: "{}",
        look_at: ready ? null : sql<Date>`now()`,
        vmid: statement.vmid,
        node,
        made: true,
        version: statement.version,
        skipped: JSON.stringify(statement.skipped),
        built_at: new Date(statement.builtAt),
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
