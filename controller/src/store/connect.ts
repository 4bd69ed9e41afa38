import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { StartError } from "../settings/start-error.ts";
import type { Database } from "./tables.ts";

export interface ConnectOptions {
  /** `postgres://…`. */
  readonly url: string;
  /** Bound of any one statement, in milliseconds. */
  readonly statementTimeoutMs?: number;
  readonly maxConnections?: number;
  /** An idle connection broke: the pool makes a new one when it needs one. For the log. */
  readonly onConnectionLost?: (error: Error) => void;
}

/** A connected database. */
export interface Store {
  readonly db: Kysely<Database>;
  /** For what needs a connection of its own, such as a lock that lasts. */
  readonly pool: pg.Pool;
  /** Closes every connection. */
  close(): Promise<void>;
}

const defaults = {
  statementTimeoutMs: 15_000,
  maxConnections: 16,
  connectTimeoutMs: 5_000,
  /** Longer than the driver's 10 s: to sign in anew (SCRAM) costs more than all statements of a look at a sandbox. */
  idleTimeoutMs: 60_000,
} as const;

/**
 * Connects to PostgreSQL and makes sure that it answers. Throws a `StartError` that says what is wrong and what to do,
 * without the password.
 */
export async function connect(options: ConnectOptions): Promise<Store> {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections ?? defaults.maxConnections,
    statement_timeout: options.statementTimeoutMs ?? defaults.statementTimeoutMs,
    connectionTimeoutMillis: defaults.connectTimeoutMs,
    idleTimeoutMillis: defaults.idleTimeoutMs,
    // A database on another machine that vanished without a word is noticed.
    keepAlive: true,
    application_name: "berth",
    types: numbersForBigints(),
  });
  pool.on("error", (error) => options.onConnectionLost?.(error));
  // A connection in use has no other listener, and an error without one ends the process: in the middle of a transaction,
  // between two statements, the next one tells of it.
  pool.on("connect", (client) => client.on("error", () => {}));
  try {
    await pool.query("select 1");
  } catch (error) {
    await pool.end();
    throw describeConnectError(error, options.url);
  }
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  const close = async () => {
    await db.destroy();
    // Kysely ends the pool only if it was used through Kysely.
    if (!pool.ended) await pool.end();
  };
  return { db, pool, close };
}

/** The driver reads `bigint` as text; ours are counts and sequence numbers far below 2^53. */
function numbersForBigints(): pg.CustomTypesConfig {
  const overrides = new pg.TypeOverrides();
  overrides.setTypeParser(pg.types.builtins.INT8, Number);
  return overrides;
}

/** One sentence for each way in which PostgreSQL can refuse. The URL is named by host, port and database alone. */
export function describeConnectError(error: unknown, url: string): StartError {
  const { host, database, user } = target(url);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const sentence = sentences[code]?.({ host, database, user });
  if (sentence) return new StartError(sentence, { cause: error });
  const reason = error instanceof Error ? error.message : "no reason given";
  return new StartError(`PostgreSQL at ${host} cannot be used (${reason}): check DATABASE_URL.`, { cause: error });
}

interface Target {
  host: string;
  database: string;
  user: string;
}

const wrongPassword = ({ host, user }: Target) =>
  `PostgreSQL at ${host} refuses the user "${user}" or the password: correct DATABASE_URL, or unset it to use the embedded PostgreSQL.`;

/** By the system's error code or PostgreSQL's SQLSTATE (its manual, appendix A). */
const sentences: Readonly<Record<string, (target: Target) => string>> = {
  ECONNREFUSED: ({ host }) =>
    `PostgreSQL at ${host} refuses connections: start it, correct DATABASE_URL, or unset it to use the embedded PostgreSQL.`,
  ENOENT: ({ host }) => `PostgreSQL has no socket at ${host}: start it, or correct DATABASE_URL.`,
  ENOTFOUND: ({ host }) => `The host of PostgreSQL, ${host}, is not known: correct the host in DATABASE_URL.`,
  EAI_AGAIN: ({ host }) =>
    `The host of PostgreSQL, ${host}, cannot be looked up now: check DNS, or the host in DATABASE_URL.`,
  ETIMEDOUT: ({ host }) => `PostgreSQL at ${host} does not answer: check the host in DATABASE_URL and the firewall.`,
  EHOSTUNREACH: ({ host }) =>
    `PostgreSQL at ${host} cannot be reached: check the host in DATABASE_URL and the network.`,
  "28P01": wrongPassword,
  "28000": wrongPassword,
  "3D000": ({ host, database }) =>
    `PostgreSQL at ${host} has no database "${database}": create it (createdb ${database}), or correct DATABASE_URL.`,
  "57P03": ({ host }) => `PostgreSQL at ${host} is starting up or shutting down: try again in a moment.`,
  "53300": ({ host }) => `PostgreSQL at ${host} has no connection left: raise its max_connections, or close others.`,
};

function target(url: string): Target {
  if (!URL.canParse(url)) return { host: "the given address", database: "", user: "" };
  const parsed = new URL(url);
  const host = parsed.searchParams.get("host") ?? (parsed.hostname || "localhost");
  return {
    host: host.startsWith("/") ? host : `${host}:${parsed.port || "5432"}`,
    database: decodeURIComponent(parsed.pathname.slice(1)),
    user: decodeURIComponent(parsed.username),
  };
}
