import { randomBytes } from "node:crypto";
import type { Clock } from "@berth/base";
import { BerthError, newId, type Share, type SharedTerminal, shareLifetimes } from "@berth/protocol";
import type { Kysely, Selectable, Transaction } from "kysely";
import { audit } from "../identity/audit.ts";
import { hashSecret } from "../identity/secrets.ts";
import { isSandboxState } from "../sandboxes/state.ts";
import type { Database, SharesTable } from "../store/tables.ts";

type ShareRow = Selectable<SharesTable>;

/** What a guest's token opens. */
export interface OpenedShare {
  readonly shareId: string;
  readonly terminalId: string;
  readonly sandboxId: string;
  readonly expiresAtMs: number;
  readonly facts: SharedTerminal;
}

const limits = {
  /** Shares of a terminal that are in force. */
  perTerminal: 20,
  /** A use is written down no more often than this, in milliseconds: so are the audit's rows of uses. */
  touchMs: 60_000,
  /** How long after its end a share is remembered, in milliseconds, so that late guests are told what became of it. */
  rememberMs: 7 * 86_400_000,
  /** Those that were revoked, or have expired, are remembered up to so many a terminal. */
  remembered: 50,
} as const;

/** The shares' rows. A token is kept as a hash only. */
export class Shares {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;

  constructor(db: Kysely<Database>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Makes a share; answers its token, which is kept nowhere. Throws `limit_exceeded`. */
  async create(
    trx: Transaction<Database>,
    terminal: { id: string; ownerId: string },
    asked: { expiresInSeconds?: number; name?: string },
  ): Promise<{ share: Share; token: string }> {
    await this.#makeRoom(trx, terminal.id);
    const now = this.#clock.now();
    // 256 random bits behind a prefix by which secret scanners know it.
    const token = `brs_${randomBytes(32).toString("base64url")}`;
    const row = await trx
      .insertInto("shares")
      .values({
        id: newId("share"),
        owner_id: terminal.ownerId,
        terminal_id: terminal.id,
        name: asked.name?.trim() ?? "",
        hash: hashSecret(token),
        created_at: new Date(now),
        expires_at: new Date(now + (asked.expiresInSeconds ?? shareLifetimes.defaultSeconds) * 1000),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const detail = { terminal: terminal.id, expires: row.expires_at.toISOString() };
    await audit(trx, terminal.ownerId, "share.made", row.id, detail);
    return { share: presentShare(row, 0), token };
  }

  /** Those of a terminal that are in force, the newest first. */
  ofTerminal(terminalId: string): Promise<ShareRow[]> {
    return this.#db
      .selectFrom("shares")
      .selectAll()
      .where("terminal_id", "=", terminalId)
      .where("revoked_at", "is", null)
      .where("expires_at", ">", new Date(this.#clock.now()))
      .orderBy("created_at", "desc")
      .orderBy("id")
      .execute();
  }

  /** Ends a share before its time. Throws `not_found`. */
  async revoke(trx: Transaction<Database>, terminalId: string, shareId: string): Promise<void> {
    const row = await trx
      .updateTable("shares")
      .set({ revoked_at: new Date(this.#clock.now()) })
      .where("id", "=", shareId)
      .where("terminal_id", "=", terminalId)
      .where("revoked_at", "is", null)
      .returning(["id", "owner_id"])
      .executeTakeFirst();
    if (!row) throw new BerthError("not_found", "The terminal has no share of this id.");
    await audit(trx, row.owner_id, "share.revoked", row.id, { terminal: terminalId });
  }

  /**
   * What a token opens now; undefined: it is nobody's. Throws `share_expired` and `share_revoked` to who has the token
   * of a share that was.
   */
  async find(token: string): Promise<OpenedShare | undefined> {
    const row = await this.#db
      .selectFrom("shares")
      .innerJoin("terminals", "terminals.id", "shares.terminal_id")
      .innerJoin("sandboxes", "sandboxes.id", "terminals.sandbox_id")
      .innerJoin("users", "users.id", "shares.owner_id")
      .select(["shares.id", "shares.name", "shares.terminal_id", "shares.expires_at", "shares.revoked_at"])
      .select(["terminals.title", "terminals.cols", "terminals.rows", "terminals.state", "terminals.sandbox_id"])
      .select(["sandboxes.state as sandboxState", "users.username"])
      .where("shares.hash", "=", hashSecret(token))
      .where("terminals.removed", "=", false)
      .executeTakeFirst();
    if (!row) return undefined;
    if (row.revoked_at) throw new BerthError("share_revoked", "Its owner has withdrawn this link.");
    if (row.expires_at.getTime() <= this.#clock.now()) throw new BerthError("share_expired", "This link has expired.");
    const { name, title, cols, rows, state, username } = row;
    const expiresAt = row.expires_at.toISOString();
    const sandboxState = isSandboxState(row.sandboxState) ? row.sandboxState : "failed";
    return {
      shareId: row.id,
      terminalId: row.terminal_id,
      sandboxId: row.sandbox_id,
      expiresAtMs: row.expires_at.getTime(),
      facts: { shareId: row.id, name, sharedBy: username, expiresAt, title, cols, rows, state, sandboxState },
    };
  }

  /** Writes down that a guest came, once a minute at most. */
  async used(shareId: string, address: string): Promise<void> {
    const now = this.#clock.now();
    await this.#db.transaction().execute(async (trx) => {
      const touched = await trx
        .updateTable("shares")
        .set({ last_used_at: new Date(now) })
        .where("id", "=", shareId)
        .where((eb) =>
          eb.or([eb("last_used_at", "is", null), eb("last_used_at", "<=", new Date(now - limits.touchMs))]),
        )
        .returning("id")
        .executeTakeFirst();
      if (touched) await audit(trx, null, "share.opened", shareId, { address });
    });
  }

  /** Forgets what ended long ago; answers how many. */
  async prune(): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("shares")
      .where("expires_at", "<=", new Date(this.#clock.now() - limits.rememberMs))
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  async #makeRoom(trx: Transaction<Database>, terminalId: string): Promise<void> {
    // One at a time, so that many at once do not pass the bound.
    await trx.selectFrom("terminals").select("id").where("id", "=", terminalId).forUpdate().execute();
    const rows = await trx
      .selectFrom("shares")
      .select(["id", "expires_at", "revoked_at"])
      .where("terminal_id", "=", terminalId)
      .orderBy("created_at", "desc")
      .execute();
    const now = this.#clock.now();
    const ended = rows.filter((row) => row.revoked_at !== null || row.expires_at.getTime() <= now);
    if (rows.length - ended.length >= limits.perTerminal) {
      throw new BerthError("limit_exceeded", `A terminal has at most ${limits.perTerminal} shares.`, {
        hint: "Revoke some first.",
      });
    }
    const surplus = ended.slice(limits.remembered).map((row) => row.id);
    if (surplus.length > 0) await trx.deleteFrom("shares").where("id", "in", surplus).execute();
  }
}

/** A share as its owner sees it, with how many look by it now. */
export function presentShare(row: ShareRow, guests: number): Share {
  return {
    id: row.id,
    terminalId: row.terminal_id,
    name: row.name,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    guests,
  };
}
