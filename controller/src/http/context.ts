import type { User } from "@berth/protocol";
import type { Transaction } from "kysely";
import type { Database } from "../store/tables.ts";

/** Who calls. */
export interface Caller {
  readonly user: User;
  /** The token or session that they signed in with. */
  readonly tokenId: string;
  /** By the console's cookie, or by a bearer token. */
  readonly by: "cookie" | "bearer";
}

/** A transaction, with what is to happen once it has committed. */
export interface UnitOfWork {
  readonly trx: Transaction<Database>;
  /** Runs after the commit, in order; not at all if the transaction rolls back. */
  afterCommit(action: () => void): void;
}
