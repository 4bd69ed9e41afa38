import { Scope, systemClock } from "@berth/base";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Notifications } from "../src/events/notifications.ts";
import { connect } from "../src/store/connect.ts";
import { testStore } from "./http.fixture.ts";

let scope: Scope;
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

test("a connection that ends before it listens does not keep the pool from closing", async () => {
  const { url } = await testStore(scope);
  const store = await connect({ url });
  // As when the database ends while the pool still believes in an idle connection to it.
  store.pool.on("acquire", (client) => {
    client.query("select pg_terminate_backend(pg_backend_pid())").catch(() => {});
  });
  await expect(new Notifications(store.pool, systemClock).start()).rejects.toThrow();
  await store.close();
  expect(store.pool.totalCount).toBe(0);
});
