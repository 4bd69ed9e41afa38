import { getPool, updatePool } from "@berth/protocol";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import { inTransaction } from "../store/transaction.ts";
import type { PoolKeeper } from "./keeper.ts";

export function poolRoutes(api: Api, { keeper }: { readonly keeper: PoolKeeper }): void {
  mount(api, getPool, () => keeper.status());

  mount(api, updatePool, async ({ body, caller }) => {
    await inTransaction(api.db, async (work) => {
      await keeper.resize(work, body.size);
      await work.trx
        .insertInto("audit")
        .values({ user_id: caller.user.id, action: "pool.resize", subject: "pool", detail: JSON.stringify(body) })
        .execute();
    });
    return keeper.status();
  });
}
