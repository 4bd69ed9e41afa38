import type { Clock } from "@berth/base";
import { newId, type User } from "@berth/protocol";
import type { Kysely, Transaction } from "kysely";
import type { Database } from "../store/tables.ts";
import { hashSecret, newBearer } from "./secrets.ts";

const times = {
  /** A session ends so long after its last use. */
  sessionMs: 30 * 86_400_000,
  /** The last use is written down no more often than this. */
  touchMs: 60_000,
} as const;

/** For the cookie, in seconds. */
export const sessionSeconds = times.sessionMs / 1000;

/** The bearer tokens that people and programs come with: those of sign-ins, and API tokens. */
export class Sessions {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;

  constructor(db: Kysely<Database>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Whose a token is; undefined: nobody's, or expired. A session that is used lasts longer. */
  async authenticate(token: string): Promise<{ user: User; tokenId: string } | undefined> {
    const now = this.#clock.now();
    const row = await this.#db
      .selectFrom("tokens")
      .innerJoin("users", "users.id", "tokens.user_id")
      .select(["tokens.id", "tokens.kind", "tokens.last_used_at", "tokens.expires_at"])
      .select(["users.id as userId", "users.username", "users.role"])
      .where("tokens.hash", "=", hashSecret(token))
      .executeTakeFirst();
    if (!row || (row.expires_at !== null && row.expires_at.getTime() <= now)) return undefined;
    if (row.last_used_at === null || now - row.last_used_at.getTime() >= times.touchMs) {
      await this.#touch(row.id, row.kind, now);
    }
    return { user: { id: row.userId, username: row.username, role: row.role }, tokenId: row.id };
  }

  /** Begins a session; answers its token, which is kept nowhere. */
  async begin(trx: Transaction<Database>, userId: string): Promise<string> {
    const token = newBearer();
    const now = this.#clock.now();
    await trx
      .insertInto("tokens")
      .values({
        id: newId("token"),
        user_id: userId,
        kind: "session",
        name: "session",
        hash: hashSecret(token),
        created_at: new Date(now),
        last_used_at: new Date(now),
        expires_at: new Date(now + times.sessionMs),
      })
      .execute();
    return token;
  }

  /** Forgets what has expired; answers how many. */
  async prune(): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("tokens")
      .where("expires_at", "<=", new Date(this.#clock.now()))
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  async #touch(id: string, kind: "session" | "api", now: number): Promise<void> {
    await this.#db
      .updateTable("tokens")
      .set({
        last_used_at: new Date(now),
        ...(kind === "session" ? { expires_at: new Date(now + times.sessionMs) } : {}),
      })
      .where("id", "=", id)
      .execute();
  }
}
