import { type Kysely, sql } from "kysely";

/** What sandboxes may push, and git's work between them and remotes as operations. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  "alter table sandboxes add column git_push text not null default 'own'",
  "alter table operations add column request jsonb, add column result jsonb",
  // Beside the work that the reconciler does, and beside a sync; of each there is one at a time.
  "drop index operations_one",
  `create unique index operations_one on operations (sandbox_id)
   where state in ('queued', 'running') and kind not in ('sync', 'git_push', 'git_fetch', 'git_worktree')`,
  `create unique index operations_one_git on operations (sandbox_id)
   where state in ('queued', 'running') and kind in ('git_push', 'git_fetch', 'git_worktree')`,
];
