import { type Kysely, sql } from "kysely";

/** Sandboxes that sleep while nobody uses them, and what Claude does in terminals. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  "alter table sandboxes drop constraint sandboxes_desired_check",
  `alter table sandboxes
    add constraint sandboxes_desired_check check (desired in ('running', 'stopped', 'asleep', 'destroyed')),
    add column attention text,
    add column sleep_after jsonb,
    add column sleep_unasked boolean not null default false`,
  "alter table terminals add column attention text",
];
