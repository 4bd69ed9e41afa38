import { type Kysely, sql } from "kysely";

/** The first epoch that a terminal may have after its sandbox was rolled back: viewers know earlier ones. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table terminals add column epoch_floor integer not null default 1`.execute(db);
}
