import { BerthError, newId, type Project } from "@berth/protocol";
import type { Kysely, Selectable } from "kysely";
import type { Database, ProjectsTable } from "../store/tables.ts";

export type ProjectRow = Selectable<ProjectsTable>;

/** The projects' rows. */
export class Projects {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  find(id: string): Promise<ProjectRow | undefined> {
    return this.#db.selectFrom("projects").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** Another's is as if there were none. Throws `not_found`. */
  async own(id: string, userId: string, db: Kysely<Database> = this.#db): Promise<ProjectRow> {
    const query = db.selectFrom("projects").selectAll().where("id", "=", id).where("owner_id", "=", userId);
    const row = await query.executeTakeFirst();
    if (!row) throw new BerthError("not_found", `There is no project ${id}.`);
    return row;
  }

  list(userId: string): Promise<ProjectRow[]> {
    const query = this.#db.selectFrom("projects").selectAll().where("owner_id", "=", userId);
    return query.orderBy("created_at", "desc").orderBy("id", "desc").execute();
  }

  /** The owner's project of this URL, made if there is none. */
  async ofUrl(db: Kysely<Database>, ownerId: string, url: string): Promise<ProjectRow> {
    return (
      db
        .insertInto("projects")
        .values({ id: newId("project"), owner_id: ownerId, url })
        // Changes nothing, and so answers the row that is there.
        .onConflict((conflict) => conflict.columns(["owner_id", "url"]).doUpdateSet({ url }))
        .returningAll()
        .executeTakeFirstOrThrow()
    );
  }

  async fetched(id: string, defaultBranch: string | undefined, at: Date): Promise<void> {
    const patch = { default_branch: defaultBranch ?? null, fetched_at: at };
    await this.#db.updateTable("projects").set(patch).where("id", "=", id).execute();
  }

  /** Throws `conflict` while sandboxes are of it. */
  async remove(row: ProjectRow): Promise<void> {
    await this.#db.transaction().execute(async (trx) => {
      await trx.selectFrom("projects").select("id").where("id", "=", row.id).forUpdate().execute();
      const using = trx.selectFrom("sandboxes").select("name").where("project_id", "=", row.id);
      const sandbox = await using.executeTakeFirst();
      if (sandbox) {
        throw new BerthError("conflict", `The sandbox "${sandbox.name}" is of this project.`, {
          hint: "Delete its sandboxes first.",
        });
      }
      await trx.deleteFrom("projects").where("id", "=", row.id).execute();
    });
  }
}

/** A project as the outside sees it. */
export function presentProject(row: ProjectRow, hasCredential: boolean): Project {
  return {
    id: row.id,
    url: row.url,
    defaultBranch: row.default_branch,
    credential: hasCredential,
    fetchedAt: row.fetched_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
  };
}
