import { type Kysely, sql } from "kysely";

/**
 * Sandboxes that are made ahead. Everything has an owner, so they have the pool itself: a user without a password, whom
 * nobody can be.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table pool (
    only_one boolean primary key default true check (only_one),
    size integer not null check (size >= 0)
  )`,
  // As `poolOwnerId` of `controller/src/pool` has it.
  `insert into users (id, username, password_hash, role) values ('usr_warmpool000000000000', '(warm pool)', null, 'admin')`,
  "alter table sandboxes add column handover_wanted boolean not null default false",
];
