import type { Operation } from "@berth/protocol";
import type { Kysely } from "kysely";
import { presentOperation } from "../../src/operations/record.ts";
import type { Database } from "../../src/store/tables.ts";

/** The operation that made, or makes, a member of the warm pool; undefined: it failed. */
export async function poolOperation(
  db: Kysely<Database>,
  sandboxId: string,
  during: <T>(work: () => Promise<T>) => Promise<T> = (work) => work(),
): Promise<Operation | undefined> {
  const row = await during(() =>
    db
      .selectFrom("operations")
      .selectAll()
      .where("sandbox_id", "=", sandboxId)
      .where("kind", "=", "create")
      .where("state", "<>", "failed")
      .executeTakeFirst(),
  );
  return row && presentOperation(row);
}

/** How many sandboxes were ever begun to be made, those that are gone included. */
export async function sandboxesBegun(
  db: Kysely<Database>,
  during: <T>(work: () => Promise<T>) => Promise<T> = (work) => work(),
): Promise<number> {
  const { count } = await during(() =>
    db
      .selectFrom("operations")
      .select((eb) => eb.fn.count<string>("sandbox_id").distinct().as("count"))
      .where("kind", "in", ["create", "fork"])
      .executeTakeFirstOrThrow(),
  );
  return Number(count);
}
