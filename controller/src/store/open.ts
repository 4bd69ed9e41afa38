import type { Scope } from "@berth/base";
import type { FastifyBaseLogger } from "fastify";
import type { Progress } from "../progress.ts";
import type { Settings } from "../settings/settings.ts";
import { connect, type Store } from "./connect.ts";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { migrate } from "./migrate.ts";

export interface OpenStoreDependencies {
  /** Closes the connections. */
  scope: Scope;
  /** Stops the embedded server. */
  servers: Scope;
  progress: Progress;
  log: FastifyBaseLogger;
}

/** The database that the settings name, or the embedded one, at the present schema. Throws a `StartError`. */
export async function openStore(settings: Settings, deps: OpenStoreDependencies): Promise<Store> {
  const url = settings.databaseUrl ?? (await startEmbedded(settings.dataDir, deps));
  const store = await connect({
    url,
    onConnectionLost: (error) => deps.log.warn({ err: error }, "a database connection broke"),
  });
  deps.scope.add(() => store.close());
  await migrate(store.db);
  return store;
}

async function startEmbedded(dataDir: string, { servers, progress }: OpenStoreDependencies): Promise<string> {
  const postgres = await startEmbeddedPostgres({
    dataDir,
    onInitialise: () => progress.step("making the database (once; it takes a few seconds)"),
  });
  servers.add(() => postgres.stop());
  progress.step(postgres.adopted ? "PostgreSQL runs already: taken over" : "PostgreSQL started");
  return postgres.url;
}
