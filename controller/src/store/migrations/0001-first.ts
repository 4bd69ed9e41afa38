import { type Kysely, sql } from "kysely";

/** Everything that the first version keeps; every table but the controller's own has an owner. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // The one fleet whose sandboxes these are.
  `create table fleet (
    id text primary key,
    only_one boolean not null default true unique check (only_one)
  )`,
  `create table users (
    id text primary key,
    username text not null unique,
    password_hash text,
    role text not null check (role in ('admin')),
    created_at timestamptz not null default now()
  )`,
  `create table tokens (
    id text primary key,
    user_id text not null references users on delete cascade,
    kind text not null check (kind in ('session', 'api')),
    name text not null,
    hash text not null unique,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    expires_at timestamptz
  )`,
  "create index tokens_user on tokens (user_id)",
  "create table setup_tokens (hash text primary key, expires_at timestamptz not null)",
  `create table ssh_keys (
    id text primary key,
    user_id text not null references users on delete cascade,
    name text not null,
    public_key text not null,
    fingerprint text not null,
    created_at timestamptz not null default now(),
    unique (user_id, fingerprint)
  )`,
  `create table idempotency (
    user_id text not null references users on delete cascade,
    route text not null,
    key text not null,
    body_hash text not null,
    status integer not null,
    response jsonb,
    created_at timestamptz not null default now(),
    primary key (user_id, route, key)
  )`,
  "create index idempotency_age on idempotency (created_at)",
  `create table sandboxes (
    id text primary key,
    owner_id text not null references users,
    name text not null unique,
    cores integer not null,
    memory_mib integer not null,
    disk_gib integer not null,
    node_wanted text,
    workspace jsonb not null,
    env jsonb not null,
    desired text not null check (desired in ('running', 'stopped', 'destroyed')),
    boot_wanted integer not null default 1,
    boot_done integer not null default 0,
    state text not null,
    error jsonb,
    look_at timestamptz,
    attempts integer not null default 0,
    vmid integer unique,
    node text,
    template_vmid integer,
    address text,
    ssh_port integer,
    task jsonb,
    configured boolean not null default false,
    host_key_fingerprint text,
    bootstrapped_at timestamptz,
    agent_secret_hash text,
    machine_id text,
    agent_version text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  )`,
  "create index sandboxes_owner on sandboxes (owner_id, created_at desc, id)",
  "create index sandboxes_look on sandboxes (look_at) where look_at is not null",
  `create table claims (
    vmid integer primary key,
    sandbox_id text not null,
    node text not null,
    state text not null check (state in ('held', 'abandoned')),
    asked boolean not null default false,
    created_at timestamptz not null default now()
  )`,
  "create index claims_sandbox on claims (sandbox_id)",
  // Operations, and the events below, outlive their sandbox: they tell how it was destroyed.
  `create table operations (
    id text primary key,
    owner_id text not null references users,
    sandbox_id text not null,
    sandbox_name text not null,
    kind text not null,
    state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    steps jsonb not null,
    error jsonb,
    created_at timestamptz not null default now(),
    finished_at timestamptz
  )`,
  "create index operations_sandbox on operations (sandbox_id, created_at)",
  // At most one piece of work on a sandbox is under way.
  "create unique index operations_one on operations (sandbox_id) where state in ('queued', 'running')",
  `create table events (
    id bigint generated always as identity primary key,
    seq bigint unique,
    owner_id text not null,
    sandbox_id text,
    operation_id text,
    type text not null,
    data jsonb not null,
    created_at timestamptz not null default now()
  )`,
  // A reader that has seen seq n must never meet a smaller one later. So seq is given as the transaction commits, by a
  // deferred trigger, under a lock that lasts until the commit is visible: order of seq = order of commits. Taken this
  // late, the lock cannot deadlock with row locks (whoever holds it needs no more of them) and is held for one flush.
  "create sequence events_seq",
  `create function berth_number_event() returns trigger language plpgsql as $$
  begin
    perform pg_advisory_xact_lock(hashtext('berth.events'));
    update events set seq = nextval('events_seq') where id = new.id;
    perform pg_notify('berth_events', new.owner_id || ' ' || coalesce(new.operation_id, ''));
    return null;
  end $$`,
  `create constraint trigger events_number after insert on events deferrable initially deferred
   for each row execute function berth_number_event()`,
  "create index events_owner on events (owner_id, seq)",
  "create index events_operation on events (operation_id, seq) where operation_id is not null",
  "create index events_age on events (created_at)",
  `create table terminals (
    id text primary key,
    owner_id text not null references users,
    sandbox_id text not null references sandboxes on delete cascade,
    kind text not null check (kind in ('claude', 'shell', 'exec')),
    argv jsonb,
    cwd text,
    cols integer not null,
    rows integer not null,
    conversation_id text,
    state text not null check (state in ('starting', 'running', 'exited')),
    exit jsonb,
    epoch integer not null default 1,
    "offset" bigint not null default 0,
    title text not null default '',
    removed boolean not null default false,
    created_at timestamptz not null default now()
  )`,
  "create index terminals_sandbox on terminals (sandbox_id, created_at, id)",
  `create table conversations (
    id text primary key,
    owner_id text not null references users,
    sandbox_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  )`,
  "create index conversations_owner on conversations (owner_id, updated_at desc)",
  `create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    user_id text,
    action text not null,
    subject text not null,
    detail jsonb not null default '{}'
  )`,
];
