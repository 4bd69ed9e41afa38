import { type Kysely, sql } from "kysely";

/** Templates that Berth builds, and operations that are not on a sandbox. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  "alter table operations alter column sandbox_id drop not null, alter column sandbox_name drop not null",
  // One build at a time: the one whose half-built container is still there has not ended.
  `create unique index operations_one_build on operations (kind)
   where kind = 'template_build' and state in ('queued', 'running')`,
  `create table templates (
    id text primary key,
    owner_id text references users,
    state text not null check (state in ('building', 'discarding', 'ready')),
    state_since timestamptz not null default now(),
    operation_id text,
    wanted jsonb not null default '{}',
    error jsonb,
    look_at timestamptz,
    attempts integer not null default 0,
    vmid integer unique,
    node text,
    storage text,
    bridge text,
    archive text,
    asked_at timestamptz,
    made boolean not null default false,
    task jsonb,
    address text,
    host_keys jsonb,
    sent boolean not null default false,
    provisioned boolean not null default false,
    proved boolean not null default false,
    version text,
    skipped jsonb,
    built_at timestamptz,
    created_at timestamptz not null default now()
  )`,
  "create index templates_look on templates (look_at) where look_at is not null",
  // Null: cloned from a template that has no mark of this fleet's, such as the bundled one.
  "alter table sandboxes add column template_id text, add column ssh_user text",
];
