import type { Kysely } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import type { Database } from "./tables.ts";

/**
 * Runs work in one transaction (read committed). Rejects with what the work threw, rolled back. What the work put into
 * `afterCommit` runs before this resolves; it must not throw.
 */
export async function inTransaction<T>(db: Kysely<Database>, work: (work: UnitOfWork) => Promise<T>): Promise<T> {
  const actions: (() => void)[] = [];
  const result = await db
    .transaction()
    .execute((trx) => work({ trx, afterCommit: (action) => void actions.push(action) }));
  for (const action of actions) action();
  return result;
}
