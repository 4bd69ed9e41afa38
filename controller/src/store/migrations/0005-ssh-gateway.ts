import { type Kysely, sql } from "kysely";

/** Connections through the SSH gateway, and which keys and certificate each sandbox has. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table ssh_sessions (
    id text primary key,
    owner_id text not null references users,
    sandbox_id text,
    sandbox_name text,
    login text not null,
    key_fingerprint text not null,
    remote_address text not null,
    client text not null,
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    end_reason text,
    bytes_in bigint not null default 0,
    bytes_out bigint not null default 0,
    channels jsonb not null default '{}'
  )`,
  "create index ssh_sessions_owner on ssh_sessions (owner_id, started_at desc, id desc)",
  "create index ssh_sessions_started on ssh_sessions (started_at)",
  "create index ssh_sessions_open on ssh_sessions (id) where ended_at is null",
  "alter table sandboxes add column access_delivered text",
];
