import { type Kysely, sql } from "kysely";

/** Secrets that a sandbox's agent may still have, for as long as none has come with the newest. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table sandboxes add column former_agent_secret_hashes text[] not null default '{}'`.execute(db);
}
