import { type Kysely, sql } from "kysely";

/** Settings of a living sandbox, work on its disk, and sandboxes that are copies of others. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `alter table sandboxes
    add column on_boot boolean not null default false,
    add column protection boolean not null default false,
    add column change_wanted boolean not null default false,
    add column restart_needed text[] not null default '{}',
    add column drift jsonb not null default '[]',
    add column disk_work jsonb,
    add column source jsonb`,
  "create index sandboxes_source on sandboxes ((source->>'sandboxId')) where source is not null and not configured",
  "alter table conversations add column forked_from text",
];
