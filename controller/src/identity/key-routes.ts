import { BerthError, createKey, deleteKey, listKeys, newId, type SshKey } from "@berth/protocol";
import type { Selectable } from "kysely";
import type { Api } from "../http/api.ts";
import { mount, mountTransactional } from "../http/mount.ts";
import { page } from "../http/page.ts";
import type { SshKeysTable } from "../store/tables.ts";
import { audit } from "./audit.ts";
import type { Identity } from "./identity.ts";
import { readPublicKey } from "./public-key.ts";

/** Each goes into every sandbox of its owner. */
const maxKeys = 100;

/** A user's SSH public keys. */
export function keyRoutes(api: Api, identity: Identity): void {
  mount(api, listKeys, async ({ caller, query }) => {
    const rows = await identity.db
      .selectFrom("ssh_keys")
      .selectAll()
      .where("user_id", "=", caller.user.id)
      .orderBy("created_at", "desc")
      .orderBy("id", "desc")
      .execute();
    return page(rows, query, (row) => row.id, present);
  });

  mountTransactional(api, createKey, async ({ body, caller }, work) => {
    const { trx } = work;
    const key = readPublicKey(body.publicKey);
    const { count } = await trx
      .selectFrom("ssh_keys")
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .where("user_id", "=", caller.user.id)
      .executeTakeFirstOrThrow();
    if (count >= maxKeys) throw new BerthError("limit_exceeded", `You have ${maxKeys} SSH keys: remove some first.`);
    const row = await trx
      .insertInto("ssh_keys")
      .values({
        id: newId("sshKey"),
        user_id: caller.user.id,
        name: body.name ?? (key.comment || "key"),
        public_key: key.line,
        fingerprint: key.fingerprint,
        created_at: new Date(identity.clock.now()),
      })
      .onConflict((conflict) => conflict.columns(["user_id", "fingerprint"]).doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!row) throw new BerthError("conflict", "You have registered this SSH key before.");
    await audit(trx, caller.user.id, "key.added", row.id, { fingerprint: row.fingerprint });
    work.afterCommit(() => identity.onKeysChanged(caller.user.id));
    return present(row);
  });

  mountTransactional(api, deleteKey, async ({ params, caller }, work) => {
    const row = await work.trx
      .deleteFrom("ssh_keys")
      .where("id", "=", params.id)
      .where("user_id", "=", caller.user.id)
      .returning(["id", "fingerprint"])
      .executeTakeFirst();
    if (!row) throw new BerthError("not_found", "You have no SSH key of this id.");
    await audit(work.trx, caller.user.id, "key.removed", row.id, { fingerprint: row.fingerprint });
    work.afterCommit(() => identity.onKeysChanged(caller.user.id));
    return undefined;
  });
}

function present(row: Selectable<SshKeysTable>): SshKey {
  return {
    id: row.id,
    name: row.name,
    publicKey: row.public_key,
    fingerprint: row.fingerprint,
    createdAt: row.created_at.toISOString(),
  };
}
