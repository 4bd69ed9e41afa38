import type { Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import * as first from "./migrations/0001-first.ts";
import * as templates from "./migrations/0002-templates.ts";
import * as formerAgentSecrets from "./migrations/0003-former-agent-secrets.ts";
import * as shares from "./migrations/0004-shares.ts";
import * as sshGateway from "./migrations/0005-ssh-gateway.ts";
import * as workspaceSync from "./migrations/0006-workspace-sync.ts";
import * as projects from "./migrations/0007-projects.ts";
import * as sizes from "./migrations/0008-sandbox-network.ts";
import * as diskWork from "./migrations/0009-disk-work.ts";
import * as epochFloor from "./migrations/0010-epoch-floor.ts";
import * as gitWork from "./migrations/0011-git-work.ts";
import * as placement from "./migrations/0012-placement.ts";
import * as sleep from "./migrations/0013-sleep.ts";
import * as warmPool from "./migrations/0014-warm-pool.ts";
import * as orphans from "./migrations/0015-orphans.ts";
import * as unsavedThen from "./migrations/0016-unsaved-then.ts";
import type { Database } from "./tables.ts";

/** Every migration by name, in order. The list is in the code, so that a bundle carries it. */
const migrations: Record<string, Migration> = {
  "0001-first": first,
  "0002-templates": templates,
  "0003-former-agent-secrets": formerAgentSecrets,
  "0004-shares": shares,
  "0005-ssh-gateway": sshGateway,
  "0006-workspace-sync": workspaceSync,
  "0007-projects": projects,
  "0008-sandbox-network": sizes,
  "0009-disk-work": diskWork,
  "0010-epoch-floor": epochFloor,
  "0011-git-work": gitWork,
  "0012-placement": placement,
  "0013-sleep": sleep,
  "0014-warm-pool": warmPool,
  "0015-orphans": orphans,
  "0016-unsaved-then": unsavedThen,
};

/** Brings a database to the present schema. Throws what the failing migration threw. */
export async function migrate(db: Kysely<Database>): Promise<void> {
  const { error } = await migratorOf(db).migrateToLatest();
  if (error) throw error;
}

/** The names of those that a database has not seen yet. */
export async function pendingMigrations(db: Kysely<Database>): Promise<string[]> {
  const known = await migratorOf(db).getMigrations();
  return known.filter(({ executedAt }) => executedAt === undefined).map(({ name }) => name);
}

function migratorOf(db: Kysely<Database>): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => migrations } });
}
