import { type Kysely, sql } from "kysely";

/** Syncs of workspaces: what was asked for, what came of it, and what is followed. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // A sync is beside the work that the reconciler does on a sandbox; of each there is one at a time.
  "drop index operations_one",
  `create unique index operations_one on operations (sandbox_id)
   where state in ('queued', 'running') and kind <> 'sync'`,
  `create unique index operations_one_sync on operations (sandbox_id)
   where state in ('queued', 'running') and kind = 'sync'`,
  `create table workspaces (
    sandbox_id text primary key references sandboxes on delete cascade,
    folder text,
    continuous jsonb,
    continuous_state text not null default 'watching',
    continuous_error jsonb,
    continuous_at timestamptz
  )`,
  `create table sync_runs (
    id text primary key,
    sandbox_id text not null references sandboxes on delete cascade,
    request jsonb not null,
    result jsonb,
    created_at timestamptz not null default now()
  )`,
  "create index sync_runs_sandbox on sync_runs (sandbox_id, created_at desc)",
  `create table sync_changes (
    run_id text not null references sync_runs on delete cascade,
    position integer not null,
    action text not null,
    data jsonb not null,
    primary key (run_id, position)
  )`,
];
