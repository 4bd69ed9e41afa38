import type { Scope } from "@berth/base";
import { testDatabase } from "@berth/testkit";
import { connect, type Store } from "../../../src/store/connect.ts";
import { migrate } from "../../../src/store/migrate.ts";

/** The one user of a world. */
export const ownerId = "usr_sweep";

/** Makes a database with one user; both it and the connections to it end with the scope. */
export async function openStore(scope: Scope): Promise<{ url: string; store: Store }> {
  const database = await testDatabase({ schema: "controller", migrate: migrateAt });
  scope.add(() => database.dispose());
  const store = await connect({ url: database.url, maxConnections: 2 });
  scope.add(() => store.close());
  await store.db
    .insertInto("users")
    .values({ id: ownerId, username: "sweep", password_hash: null, role: "admin" })
    .execute();
  return { url: database.url, store };
}

async function migrateAt(url: string): Promise<void> {
  const store = await connect({ url });
  await migrate(store.db);
  await store.close();
}
