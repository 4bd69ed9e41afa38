import { type Kysely, sql } from "kysely";

/** How a sandbox is cloned to its place, and ids whose half-made clones are left on nodes that were lost. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  "alter table sandboxes add column placement jsonb",
  "alter table claims drop constraint claims_state_check",
  "alter table claims add constraint claims_state_check check (state in ('held', 'abandoned', 'left'))",
];
