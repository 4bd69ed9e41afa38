import type { Kysely } from "kysely";
import { sql } from "kysely";
import { besideKinds } from "../operations/beside.ts";
import type { OperationRow } from "../operations/record.ts";
import type { Database } from "../store/tables.ts";
import type { SandboxRow } from "./record.ts";

/** All that the database knows when a sandbox is looked at. */
export interface Situation {
  readonly row: SandboxRow;
  /** The name of the user whose it is. */
  readonly owner: string;
  /** The operation on it that has not ended. */
  readonly operation: OperationRow | undefined;
  /** Ids that it gave up on. */
  readonly abandonedVmids: readonly number[];
  /** Somebody makes a copy of it. */
  readonly copied: boolean;
  /** Its claim on the id that it has; only read until its container is configured, which is when it says something. */
  readonly claim: { readonly createdAt: Date; readonly asked: boolean } | undefined;
}

/** Reads it in one statement, as of one moment; undefined if there is no such sandbox. */
export async function readSituation(db: Kysely<Database>, sandboxId: string): Promise<Situation | undefined> {
  const { rows } = await sql<Columns>`
    select sandboxes.*, (select username from users where id = sandboxes.owner_id) as owner,
      to_jsonb(operations) - 'created_at' as operation, operations.created_at as operation_created_at,
      array(select vmid from claims where sandbox_id = sandboxes.id
        and (state = 'abandoned' or state = 'left' and sandboxes.desired = 'destroyed')) as abandoned,
      exists (select from sandboxes as copy where copy.source->>'sandboxId' = sandboxes.id and copy.source is not null
        and not copy.configured and copy.state <> 'failed') as copied,
      held.created_at as claim_created_at, held.asked as claim_asked
    from sandboxes
    left join operations on operations.sandbox_id = sandboxes.id and operations.state in ('queued', 'running')
      and operations.kind not in (${sql.join(besideKinds)})
    left join claims as held on held.sandbox_id = sandboxes.id and held.state = 'held' and not sandboxes.configured
    where sandboxes.id = ${sandboxId}`.execute(db);
  const [read] = rows;
  if (!read) return undefined;
  const { owner, operation, operation_created_at, abandoned, copied, claim_created_at, claim_asked, ...row } = read;
  return {
    row,
    owner,
    operation:
      operation && operation_created_at
        ? { ...operation, finished_at: null, created_at: operation_created_at }
        : undefined,
    abandonedVmids: abandoned,
    copied,
    claim: claim_created_at ? { createdAt: claim_created_at, asked: claim_asked ?? false } : undefined,
  };
}

interface Columns extends SandboxRow {
  owner: string;
  /** As JSON, which has no instants: of an operation that has not ended there is one, the next column. */
  operation: Omit<OperationRow, "created_at" | "finished_at"> | null;
  operation_created_at: Date | null;
  abandoned: number[];
  copied: boolean;
  claim_created_at: Date | null;
  claim_asked: boolean | null;
}
