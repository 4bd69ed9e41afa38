import type { Kysely } from "kysely";
import { StartError } from "../settings/start-error.ts";
import type { Database } from "../store/tables.ts";

/**
 * Makes sure that the database is this fleet's, and makes a new one so. With other keys every sandbox in it would look
 * like somebody else's. Throws a `StartError`.
 */
export async function claimDatabase(db: Kysely<Database>, fleetId: string, dataDir: string): Promise<void> {
  await db
    .insertInto("fleet")
    .values({ id: fleetId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { id } = await db.selectFrom("fleet").select("id").executeTakeFirstOrThrow();
  if (id === fleetId) return;
  throw new StartError(
    `The database belongs to the fleet ${id}, and the keys in ${dataDir}/keys are those of ${fleetId}: put the first one's keys there (from its data directory or a backup), or use another database.`,
  );
}
