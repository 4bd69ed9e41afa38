import { randomBytes } from "node:crypto";
import type { Clock } from "@berth/base";
import { BerthError, newId, type User } from "@berth/protocol";
import type { Kysely, Transaction } from "kysely";
import type { Database } from "../store/tables.ts";
import { audit } from "./audit.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";
import { hashSecret } from "./secrets.ts";
import type { Sessions } from "./sessions.ts";

/** The first user. */
export const adminName = "admin";
const linkMs = 60 * 60_000;

export interface SetupDependencies {
  readonly db: Kysely<Database>;
  readonly clock: Clock;
  readonly sessions: Sessions;
}

/** How the admin comes to a password: by a setting, or once by a link that only the machine's own log shows. */
export class Setup {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;
  readonly #sessions: Sessions;

  constructor(dependencies: SetupDependencies) {
    this.#db = dependencies.db;
    this.#clock = dependencies.clock;
    this.#sessions = dependencies.sessions;
  }

  /**
   * Makes sure that the admin exists; call it once at the start. Links of earlier runs end here. A password from the
   * settings replaces another one, and whoever signed in with that is signed out.
   */
  async prepare(passwordSetting: string | undefined): Promise<void> {
    const { id, password_hash } = await this.#admin();
    await this.#db.deleteFrom("setup_tokens").execute();
    if (passwordSetting === undefined || (password_hash && (await verifyPassword(password_hash, passwordSetting))))
      return;
    const hash = await hashPassword(passwordSetting);
    await this.#db.transaction().execute(async (trx) => {
      await trx.updateTable("users").set({ password_hash: hash }).where("id", "=", id).execute();
      await trx.deleteFrom("tokens").where("user_id", "=", id).where("kind", "=", "session").execute();
      await audit(trx, id, "password.setting", id);
    });
  }

  /** Whether the admin has no password yet. */
  async required(): Promise<boolean> {
    return (await this.#admin()).password_hash === null;
  }

  /**
   * The path of a new set-up link, `/#setup=<token>`: good once, for an hour, and instead of any earlier one. A
   * fragment is never sent to a server, so that it is in no log. Undefined if the password is set.
   */
  async issueLink(): Promise<string | undefined> {
    if (!(await this.required())) return undefined;
    const token = randomBytes(32).toString("base64url");
    await this.#db.transaction().execute(async (trx) => {
      await trx.deleteFrom("setup_tokens").execute();
      const expires_at = new Date(this.#clock.now() + linkMs);
      await trx
        .insertInto("setup_tokens")
        .values({ hash: hashSecret(token), expires_at })
        .execute();
      await audit(trx, null, "setup.link", adminName);
    });
    return `/#setup=${token}`;
  }

  /** Sets the password with a link's token and signs in. Throws `setup_link_invalid`; of many at once one succeeds. */
  async complete(token: string, password: string): Promise<{ token: string; user: User }> {
    // Looked at before the costly hash, which is not for strangers; and taken, once, in the transaction.
    const link = await this.#db
      .selectFrom("setup_tokens")
      .select("hash")
      .where("hash", "=", hashSecret(token))
      .executeTakeFirst();
    if (!link) throw linkInvalid();
    const hash = await hashPassword(password);
    return this.#db.transaction().execute(async (trx) => {
      const user = await this.#redeem(trx, token, hash);
      await audit(trx, user.id, "setup.done", user.id);
      return { token: await this.#sessions.begin(trx, user.id), user };
    });
  }

  async #redeem(trx: Transaction<Database>, token: string, passwordHash: string): Promise<User> {
    const link = await trx
      .deleteFrom("setup_tokens")
      .where("hash", "=", hashSecret(token))
      .where("expires_at", ">", new Date(this.#clock.now()))
      .returning("hash")
      .executeTakeFirst();
    if (!link) throw linkInvalid();
    const user = await trx
      .updateTable("users")
      .set({ password_hash: passwordHash })
      .where("username", "=", adminName)
      .where("password_hash", "is", null)
      .returning(["id", "username", "role"])
      .executeTakeFirst();
    if (!user) throw linkInvalid();
    return user;
  }

  async #admin(): Promise<{ id: string; password_hash: string | null }> {
    await this.#db
      .insertInto("users")
      .values({ id: newId("user"), username: adminName, password_hash: null, role: "admin" })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return this.#db
      .selectFrom("users")
      .select(["id", "password_hash"])
      .where("username", "=", adminName)
      .executeTakeFirstOrThrow();
  }
}

function linkInvalid(): BerthError {
  return new BerthError("setup_link_invalid", "This set-up link is used, expired or wrong.", {
    hint: "Restart Berth: it prints a new link as long as no password is set.",
  });
}
