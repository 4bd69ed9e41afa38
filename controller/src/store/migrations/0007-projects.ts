import { type Kysely, sql } from "kysely";

/** Repositories that sandboxes are made from, and what is kept of unsaved work in destroyed ones. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table projects (
    id text primary key,
    owner_id text not null references users,
    url text not null,
    default_branch text,
    fetched_at timestamptz,
    created_at timestamptz not null default now(),
    unique (owner_id, url)
  )`,
  `alter table sandboxes
    add column project_id text references projects,
    add column branch text,
    add column base_branch text,
    add column if not exists workspace_filled boolean not null default true,
    add column keep_wanted boolean not null default false`,
  "create unique index sandboxes_branch on sandboxes (project_id, branch)",
  `create table kept_work (
    id text primary key,
    owner_id text not null references users,
    sandbox_id text not null,
    sandbox_name text not null,
    url text,
    parts jsonb not null,
    missing text,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
  )`,
  "create index kept_work_owner on kept_work (owner_id, created_at desc, id)",
  "create index kept_work_expiry on kept_work (expires_at)",
];
