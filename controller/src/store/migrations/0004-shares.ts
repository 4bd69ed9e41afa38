import { type Kysely, sql } from "kysely";

/** Links by which others may look at a terminal. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table shares (
    id text primary key,
    owner_id text not null references users,
    terminal_id text not null references terminals on delete cascade,
    name text not null default '',
    hash text not null unique,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    last_used_at timestamptz
  )`,
  "create index shares_terminal on shares (terminal_id, created_at desc, id)",
  "create index shares_expiry on shares (expires_at)",
];
