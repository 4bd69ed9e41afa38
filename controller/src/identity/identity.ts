import type { Clock } from "@berth/base";
import { BerthError, type User } from "@berth/protocol";
import type { Kysely } from "kysely";
import type { Caller } from "../http/context.ts";
import type { Database } from "../store/tables.ts";
import { audit } from "./audit.ts";
import { verifyPassword } from "./passwords.ts";
import { Sessions } from "./sessions.ts";
import { adminName, Setup } from "./setup.ts";
import { Throttle } from "./throttle.ts";

export interface IdentityDependencies {
  readonly db: Kysely<Database>;
  readonly clock: Clock;
  /** A user's SSH keys have changed, and the change is committed. */
  readonly onKeysChanged?: (userId: string) => void;
}

/** Refused for having tried too often; the answer carries `Retry-After`. */
export class TooManyAttempts extends BerthError {
  readonly retryAfterSeconds: number;

  constructor(waitMs: number) {
    const seconds = Math.ceil(waitMs / 1000);
    super("limit_exceeded", `Too many attempts: try again in ${seconds} s.`);
    this.retryAfterSeconds = seconds;
  }
}

/** Who people and programs are. */
export class Identity {
  readonly sessions: Sessions;
  readonly setup: Setup;
  readonly db: Kysely<Database>;
  readonly clock: Clock;
  readonly onKeysChanged: (userId: string) => void;
  readonly #throttle: Throttle;

  constructor(dependencies: IdentityDependencies) {
    this.db = dependencies.db;
    this.clock = dependencies.clock;
    this.onKeysChanged = dependencies.onKeysChanged ?? (() => {});
    this.sessions = new Sessions(this.db, this.clock);
    this.setup = new Setup({ db: this.db, clock: this.clock, sessions: this.sessions });
    this.#throttle = new Throttle(this.clock);
  }

  /** Signs in with a password. Throws `unauthenticated`, `setup_required`, `TooManyAttempts`. */
  async login(username: string, password: string, address: string): Promise<{ token: string; user: User }> {
    return this.#attempt([`address ${address}`, `user ${username}`], async () => {
      const row = await this.db
        .selectFrom("users")
        .select(["id", "username", "role", "password_hash"])
        .where("username", "=", username)
        .executeTakeFirst();
      const right = await verifyPassword(row?.password_hash, password);
      if (row && right) return this.#begin(row, address);
      if (row?.username === adminName && row.password_hash === null) {
        throw new BerthError("setup_required", "The admin has no password yet.", {
          hint: "Open the set-up link that Berth printed at its start.",
        });
      }
      // An unknown name may be a password in the wrong field: it is not kept.
      await this.db
        .transaction()
        .execute((trx) => audit(trx, row?.id ?? null, "login.refused", row?.id ?? "unknown", { address }));
      throw new BerthError("unauthenticated", "The user name or the password is wrong.");
    });
  }

  /** Sets the admin's password by the set-up link. Throws `setup_link_invalid`, `TooManyAttempts`. */
  completeSetup(token: string, password: string, address: string): Promise<{ token: string; user: User }> {
    return this.#attempt([`setup ${address}`], () => this.setup.complete(token, password));
  }

  /** Ends the caller's session. Throws `conflict` for an API token, which is not a session. */
  async logout(caller: Caller): Promise<void> {
    await this.db.transaction().execute(async (trx) => {
      const ended = await trx
        .deleteFrom("tokens")
        .where("id", "=", caller.tokenId)
        .where("kind", "=", "session")
        .returning("id")
        .executeTakeFirst();
      if (!ended) {
        throw new BerthError("conflict", "An API token is no session.", {
          hint: "Revoke it with DELETE /auth/tokens/{id}.",
        });
      }
      await audit(trx, caller.user.id, "logout", caller.user.id);
    });
  }

  async #begin(user: User, address: string): Promise<{ token: string; user: User }> {
    return this.db.transaction().execute(async (trx) => {
      await audit(trx, user.id, "login", user.id, { address });
      const { id, username, role } = user;
      return { token: await this.sessions.begin(trx, id), user: { id, username, role } };
    });
  }

  async #attempt<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const waitMs = this.#throttle.begin(keys);
    if (waitMs > 0) throw new TooManyAttempts(waitMs);
    const result = await work();
    this.#throttle.succeed(keys);
    return result;
  }
}
