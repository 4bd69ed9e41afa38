import { BerthError, createToken, deleteToken, listTokens, newId, type Token } from "@berth/protocol";
import type { Selectable } from "kysely";
import type { Api } from "../http/api.ts";
import { mount, mountTransactional } from "../http/mount.ts";
import { page } from "../http/page.ts";
import type { TokensTable } from "../store/tables.ts";
import { audit } from "./audit.ts";
import type { Identity } from "./identity.ts";
import { hashSecret, newBearer } from "./secrets.ts";

const maxTokens = 1000;

/** A user's API tokens. */
export function tokenRoutes(api: Api, identity: Identity): void {
  mount(api, listTokens, async ({ caller, query }) => {
    const rows = await identity.db
      .selectFrom("tokens")
      .selectAll()
      .where("user_id", "=", caller.user.id)
      .where("kind", "=", "api")
      .orderBy("created_at", "desc")
      .orderBy("id", "desc")
      .execute();
    return page(rows, query, (row) => row.id, present);
  });

  mountTransactional(api, createToken, async ({ body, caller }, { trx }) => {
    const { count } = await trx
      .selectFrom("tokens")
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .where("user_id", "=", caller.user.id)
      .where("kind", "=", "api")
      .executeTakeFirstOrThrow();
    if (count >= maxTokens)
      throw new BerthError("limit_exceeded", `You have ${maxTokens} API tokens: revoke some first.`);
    const now = identity.clock.now();
    const token = newBearer();
    const row = await trx
      .insertInto("tokens")
      .values({
        id: newId("token"),
        user_id: caller.user.id,
        kind: "api",
        name: body.name,
        hash: hashSecret(token),
        created_at: new Date(now),
        expires_at: body.expiresInDays === undefined ? null : new Date(now + body.expiresInDays * 86_400_000),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await audit(trx, caller.user.id, "token.made", row.id, { name: row.name });
    return { ...present(row), token };
  });

  mountTransactional(api, deleteToken, async ({ params, caller }, { trx }) => {
    const row = await trx
      .deleteFrom("tokens")
      .where("id", "=", params.id)
      .where("user_id", "=", caller.user.id)
      .where("kind", "=", "api")
      .returning(["id", "name"])
      .executeTakeFirst();
    if (!row) throw new BerthError("not_found", "You have no API token of this id.");
    await audit(trx, caller.user.id, "token.revoked", row.id, { name: row.name });
    return undefined;
  });
}

function present(row: Selectable<TokensTable>): Token {
  return {
    id: row.id,
    name: row.name,
    createdAt: row.created_at.toISOString(),
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    expiresAt: row.expires_at?.toISOString() ?? null,
  };
}
