import { BerthError } from "@berth/protocol";
import type { Kysely } from "kysely";
import type { Database } from "../store/tables.ts";
import type { SandboxRow } from "./record.ts";

/** Finds a sandbox for its owner. */
export class SandboxLookup {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** By id or by name; another's is as if there were none. Throws `not_found`. */
  async own(reference: string, userId: string, db: Kysely<Database> = this.#db): Promise<SandboxRow> {
    const row = await db
      .selectFrom("sandboxes")
      .selectAll()
      // A name is a DNS label and has no underscore, so it is never an id.
      .where(reference.includes("_") ? "id" : "name", "=", reference)
      .where("owner_id", "=", userId)
      .executeTakeFirst();
    if (!row) throw new BerthError("not_found", `There is no sandbox ${reference}.`);
    return row;
  }
}
