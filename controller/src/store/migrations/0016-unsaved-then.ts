import { type Kysely, sql } from "kysely";

/** What was unsaved in a sandbox when it was shut down last. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table sandboxes add column unsaved_then jsonb`.execute(db);
}
