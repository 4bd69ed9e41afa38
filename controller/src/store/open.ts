import type { Scope } from "@berth/base";
import type { FastifyBaseLogger } from "fastify";
import type { Progress } from "../progress.ts";
import type { Settings } from "../settings/settings.ts";
import { connect, type Store } from "./connect.ts";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { migrate } from "./migrate.ts";

/** The database that the settings name, or the embedded one, at the present schema. Throws a `StartError`. */
export async function openStore(
  settings: Settings,
  scope: Scope,
  progress: Progress,
  log: FastifyBaseLogger,
): Promise<Store> {
  const url = settings.databaseUrl ?? (await startEmbedded(settings.dataDir, scope, progress));
  const store = await connect({
    url,
    onConnectionLost: (error) => log.warn({ err: error }, "a database connection broke"),
  });
  scope.add(() => store.close());
  await migrate(store.db);
  return store;
}

async function startEmbedded(dataDir: string, scope: Scope, progress: Progress): Promise<string> {
  const postgres = await startEmbeddedPostgres({
    dataDir,
    onInitialise: () => progress.step("making the database (once; it takes a few seconds)"),
  });
  scope.add(() => postgres.stop());
  progress.step(postgres.adopted ? "PostgreSQL runs already: taken over" : "PostgreSQL started");
  return postgres.url;
}
