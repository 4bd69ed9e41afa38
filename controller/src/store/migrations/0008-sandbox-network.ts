import { type Kysely, sql } from "kysely";

/** A VLAN of a sandbox's own. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table sandboxes add column vlan integer check (vlan between 1 and 4094)`.execute(db);
}
