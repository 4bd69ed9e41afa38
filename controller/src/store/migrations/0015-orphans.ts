import { type Kysely, sql } from "kysely";

/** Containers of the fleet's without a sandbox that people were told of, so that each is told of once. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table orphans (vmid integer primary key, orphan jsonb not null)`.execute(db);
}
