import { createHash, randomBytes } from "node:crypto";
import pg from "pg";
import { sharedPostgres } from "./shared-postgres.ts";

export interface TestDatabaseOptions {
  /** Brings an empty database to the schema that the test needs; it must close its connections. */
  readonly migrate?: (url: string) => Promise<void>;
  /** Tells schemas apart, where the tests of one run use several. */
  readonly schema?: string;
}

/** A database of one test. */
export interface TestDatabase {
  /** `postgres://user:password@127.0.0.1:port/name`. */
  readonly url: string;
  /** How many connections are open to it: for leak checks. */
  connections(): Promise<number>;
  /** Drops it, whoever is connected. */
  dispose(): Promise<void>;
}

/** Makes a database: a copy of a template that is migrated once a test run and then shared by all its files. */
export async function testDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const server = await sharedPostgres();
  const name = `test_${randomBytes(8).toString("hex")}`;
  const template = options.migrate
    ? await migratedTemplate(server, options.migrate, options.schema ?? "")
    : "template1";
  await administer(server, (client) => client.query(`create database ${name} template ${template} strategy file_copy`));
  return {
    url: `${server}/${name}`,
    connections: () =>
      administer(server, async (client) => {
        const answer = await client.query("select pid from pg_stat_activity where datname = $1", [name]);
        return answer.rows.length;
      }),
    dispose: () =>
      administer(server, async (client) => {
        await client.query(`drop database if exists ${name} with (force)`);
      }),
  };
}

/**
 * The template is made under another name and renamed when it is complete, so one that was interrupted is never used;
 * the lock has the files of a run wait for the first. A run is the process that started the test processes, so that a
 * later run with changed migrations does not find the old template.
 */
async function migratedTemplate(
  server: string,
  migrate: (url: string) => Promise<void>,
  schema: string,
): Promise<string> {
  const run = createHash("sha256").update(`${process.ppid}:${schema}`).digest("hex").slice(0, 16);
  const template = `template_${run}`;
  await administer(server, async (client) => {
    await client.query("select pg_advisory_lock(hashtext($1))", [template]);
    const found = await client.query("select 1 from pg_database where datname = $1", [template]);
    if (found.rows.length > 0) return;
    const draft = `draft_${randomBytes(8).toString("hex")}`;
    await client.query(`create database ${draft}`);
    await migrate(`${server}/${draft}`);
    await client.query(`alter database ${draft} rename to ${template}`);
  });
  return template;
}

async function administer<T>(server: string, task: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: `${server}/postgres` });
  await client.connect();
  try {
    return await task(client);
  } finally {
    await client.end();
  }
}
