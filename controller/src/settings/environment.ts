import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { configFileVariable } from "./schema.ts";
import { type ParsedSettings, parseSettings } from "./settings.ts";
import { StartError } from "./start-error.ts";

/**
 * The settings of this process: its environment, and below it the file that `BERTH_CONFIG` names. The only place that
 * reads `process.env`. Throws `StartError`.
 */
export function settingsFromEnvironment(): ParsedSettings {
  const env = process.env;
  const file = env[configFileVariable];
  return parseSettings({ ...(file ? readConfigFile(file) : {}), ...env }, { dataDir: defaultDataDir(env) });
}

/** The variables in a file of `KEY=VALUE` lines, quoted and commented as in any `.env` file. Throws `StartError`. */
export function readConfigFile(path: string): Record<string, string | undefined> {
  try {
    return { ...parseEnv(readFileSync(path, "utf8")) };
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "it is not text";
    throw new StartError(
      `${configFileVariable} names ${path}, which cannot be read (${reason}): correct the path or its permissions.`,
    );
  }
}

/**
 * Root keeps its data where services do: an embedded PostgreSQL runs as a user of its own, which could not reach a
 * folder below `/root`.
 */
function defaultDataDir(env: Readonly<Record<string, string | undefined>>): string {
  if (process.getuid?.() === 0) return "/var/lib/berth";
  return join(env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "berth");
}
