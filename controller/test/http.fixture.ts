import { PassThrough } from "node:stream";
import { type Clock, type Scope, systemClock } from "@berth/base";
import type { Readiness, User } from "@berth/protocol";
import { testDatabase } from "@berth/testkit";
import type { FastifyInstance } from "fastify";
import { EventLog } from "../src/events/log.ts";
import { eventRoutes } from "../src/events/routes.ts";
import type { Api } from "../src/http/api.ts";
import { createLogger } from "../src/http/logger.ts";
import { buildServer } from "../src/http/server.ts";
import { Identity } from "../src/identity/identity.ts";
import { identityRoutes } from "../src/identity/routes.ts";
import { connect, type Store } from "../src/store/connect.ts";
import { migrate } from "../src/store/migrate.ts";

export const adminPassword = "correct horse battery";

/** A store on a database of its own. */
export async function testStore(scope: Scope): Promise<Store & { url: string }> {
  const database = await testDatabase({ schema: "controller", migrate: migrateAt });
  scope.add(() => database.dispose());
  const store = await connect({ url: database.url });
  scope.add(() => store.close());
  return { ...store, url: database.url };
}

async function migrateAt(url: string): Promise<void> {
  const store = await connect({ url });
  await migrate(store.db);
  await store.close();
}

export interface TestServerOptions {
  clock?: Clock;
  /** Unset: one on a database of its own. */
  store?: Store;
  routes?: readonly ((api: Api) => void)[];
  publicUrl?: string;
  consoleDir?: string;
  readiness?: () => Promise<Readiness>;
  /** Unset: the admin has `adminPassword`. */
  withoutPassword?: boolean;
  onKeysChanged?: (userId: string) => void;
}

export interface TestServer {
  server: FastifyInstance;
  store: Store;
  identity: Identity;
  events: EventLog;
  user: User;
  /** A bearer token of the admin's. */
  token: string;
  /** Every line of the log so far. */
  log(): string;
  /** Listens on loopback; answers the origin. */
  listen(): Promise<string>;
}

/** The server with its own routes and those given, on a database of its own, not listening yet. */
export async function testServer(scope: Scope, options: TestServerOptions = {}): Promise<TestServer> {
  const store = options.store ?? (await testStore(scope));
  const clock = options.clock ?? systemClock;
  const events = new EventLog({ db: store.db, pool: store.pool });
  await events.start();
  scope.add(() => events.stop());
  const { onKeysChanged } = options;
  const identity = new Identity({ db: store.db, clock, ...(onKeysChanged ? { onKeysChanged } : {}) });
  await identity.setup.prepare(options.withoutPassword ? undefined : adminPassword);
  const { output, text } = logOutput();
  const server = await buildServer({
    settings: { host: "127.0.0.1", publicUrl: options.publicUrl ? new URL(options.publicUrl) : undefined },
    db: store.db,
    clock,
    logger: createLogger("debug", output),
    authenticate: (token) => identity.sessions.authenticate(token),
    routes: [(api) => identityRoutes(api, identity), (api) => eventRoutes(api, events), ...(options.routes ?? [])],
    readiness: options.readiness ?? (async () => ({ ready: true, version: "test", role: "active", checks: {} })),
    version: "0.0.0-test",
    consoleDir: options.consoleDir,
  });
  scope.add(() => server.close());
  const user = await store.db
    .selectFrom("users")
    .select(["id", "username", "role"])
    .where("username", "=", "admin")
    .executeTakeFirstOrThrow();
  const token = await store.db.transaction().execute((trx) => identity.sessions.begin(trx, user.id));
  const listen = async () => server.listen({ host: "127.0.0.1", port: 0 });
  return { server, store, identity, events, user, token, log: text, listen };
}

function logOutput() {
  const output = new PassThrough();
  const lines: string[] = [];
  output.on("data", (chunk: Buffer) => lines.push(chunk.toString()));
  return { output, text: () => lines.join("") };
}

/** Headers of a caller with a token. */
export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
