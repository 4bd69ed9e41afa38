import { Scope } from "@berth/base";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { testDatabase } from "../src/index.ts";

let scope: Scope;
let migrations = 0;
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.dispose());

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // Being cut off by the drop is part of the tests.
  client.on("error", () => {});
  await client.connect();
  scope.add(() => client.end());
  return client;
}

async function migrate(url: string): Promise<void> {
  migrations += 1;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("create table things (name text)");
  await client.end();
}

test("each test has a migrated database of its own, and the migrations run once", async () => {
  const [one, two] = await Promise.all([testDatabase({ migrate }), testDatabase({ migrate })]);
  scope.add(one.dispose);
  scope.add(two.dispose);
  await (await connect(one.url)).query("insert into things values ('mine')");
  expect((await (await connect(two.url)).query("select * from things")).rows).toEqual([]);
  expect(migrations).toBe(1);
});

test("a database that is disposed is gone, with the connections that were left open", async () => {
  const database = await testDatabase();
  await connect(database.url);
  expect(await database.connections()).toBe(1);
  await database.dispose();
  expect(await database.connections()).toBe(0);
  await expect(connect(database.url)).rejects.toThrow("does not exist");
});
