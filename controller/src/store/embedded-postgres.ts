import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, rename, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Clock, systemClock } from "@berth/base";
import { isErrno, makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import pg from "pg";
import { StartError } from "../settings/start-error.ts";
import { type Account, firstClosedFolder, postgresAccount } from "./postgres-account.ts";
import { type PostgresBinaries, postgresBinaries } from "./postgres-binaries.ts";
import { findPostmaster } from "./postmaster.ts";

export interface EmbeddedPostgresOptions {
  /** Berth's data directory; the database is in `postgres` below it. */
  readonly dataDir: string;
  /** Called before the first start's work, which takes a second or two. */
  readonly onInitialise?: () => void;
  /** Settings of the server by their name in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
}

/** A PostgreSQL on loopback that belongs to a data directory. */
export interface EmbeddedPostgres {
  readonly url: string;
  readonly pid: number;
  /** It ran already: an earlier controller was killed and left it. */
  readonly adopted: boolean;
  /** Stops the server in order (a fast shutdown). Repeated calls do nothing. */
  stop(): Promise<void>;
}

const user = "berth";
const database = "berth";
const times = { startSeconds: 60, stopMs: 20_000, pollMs: 10 } as const;

/** What keeps a small server small; durability is PostgreSQL's default. */
const serverSettings: Readonly<Record<string, string>> = {
  max_connections: "64",
  shared_buffers: "64MB",
  // Local sockets would need a short path; loopback with a password needs none.
  unix_socket_directories: "",
  listen_addresses: "127.0.0.1",
  // Under a systemd user session its shared memory would be removed at logout.
  shared_memory_type: "mmap",
  // A connection whose controller was killed in the middle of a statement ends, and its locks with it.
  client_connection_check_interval: "1s",
  log_min_messages: "warning",
};

interface Place {
  dataDir: string;
  pgData: string;
  account: Account | undefined;
  binaries: PostgresBinaries;
  password: string;
  clock: Clock;
}

/**
 * Starts the PostgreSQL of a data directory, or takes over the one that an earlier controller left running. The server
 * is a daemon in a session of its own: neither Ctrl-C in the controller's terminal nor the controller's death ends it.
 * The caller holds the data directory's lock: two that start at once would each make a password. Throws `StartError`.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await prepare(options.dataDir, options.clock ?? systemClock);
  if (!(await exists(join(place.pgData, "PG_VERSION")))) {
    options.onInitialise?.();
    await initialise(place);
  }
  const running = await adopt(place);
  if (running) return handle(place, running, true);
  return handle(place, await start(place, { ...serverSettings, ...options.settings }), false);
}

async function prepare(dataDir: string, clock: Clock): Promise<Place> {
  try {
    await makePrivateDirectory(dataDir);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    throw new StartError(
      `The data directory ${dataDir} cannot be made (${reason}): set BERTH_DATA_DIR to a folder that Berth may write to.`,
      {
        cause: error,
      },
    );
  }
  const account = await postgresAccount();
  if (account) await openTheWay(dataDir, account);
  const password = await keepPassword(join(dataDir, "postgres.password"));
  const binaries = await postgresBinaries(dataDir, account);
  return { dataDir, pgData: join(dataDir, "postgres"), account, binaries, password, clock };
}

/**
 * The server's account has to pass through the folders above its data. The data directory is ours to open (for passing
 * through, not for listing); those above it are not.
 */
async function openTheWay(dataDir: string, account: Account): Promise<void> {
  const closed = await firstClosedFolder(dataDir, account);
  if (closed === undefined) return;
  if (closed === dataDir) {
    await chmod(dataDir, ((await stat(dataDir)).mode & 0o777) | 0o011);
    return;
  }
  throw new StartError(
    `PostgreSQL runs as the user "${account.name}", which may not pass through ${closed}: run "chmod o+x ${closed}", or set BERTH_DATA_DIR to a folder such as /var/lib/berth.`,
  );
}

async function keepPassword(path: string): Promise<string> {
  const kept = await readTextIfExists(path);
  if (kept) return kept.trim();
  const password = randomBytes(24).toString("base64url");
  await writeFileAtomic(path, `${password}\n`);
  return password;
}

/** Makes the database beside its place and moves it there when it is whole: a crash leaves no half of one. */
async function initialise(place: Place): Promise<void> {
  const { account, pgData } = place;
  const unfinished = `${pgData}.${randomBytes(4).toString("hex")}.tmp`;
  const passwordFile = `${unfinished}.password`;
  try {
    await mkdir(unfinished, { mode: 0o700 });
    await writeFileAtomic(passwordFile, `${place.password}\n`);
    if (account) {
      await chown(unfinished, account.uid, account.gid);
      await chown(passwordFile, account.uid, account.gid);
    }
    const { code, output } = await run(place, place.binaries.initdb, [
      `--pgdata=${unfinished}`,
      `--username=${user}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      // Once for all its files: one by one they take a second.
      "--sync-method=syncfs",
      "--encoding=UTF8",
      // The same order of text on every machine, whatever locales it has.
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
    ]);
    if (code !== 0)
      throw new StartError(`PostgreSQL could not make its database in ${place.dataDir} (${lastLine(output)}).`);
    await rename(unfinished, pgData);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Waits for a server that is already there to take connections; undefined: there is none. */
async function adopt(place: Place): Promise<{ pid: number; port: number } | undefined> {
  const deadline = place.clock.now() + times.startSeconds * 1000;
  for (;;) {
    const found = await findPostmaster(place.pgData);
    if (!found) return undefined;
    if (found.ready && found.port > 0 && (await prepareDatabase(place, found.port))) return found;
    if (place.clock.now() > deadline) {
      throw new StartError(
        `A PostgreSQL (pid ${found.pid}) holds ${place.pgData} and does not answer: end it with "kill -INT ${found.pid}" and start again.`,
      );
    }
    await place.clock.sleep(times.pollMs * 5);
  }
}

async function start(place: Place, settings: Readonly<Record<string, string>>): Promise<{ pid: number; port: number }> {
  const log = join(place.pgData, "server.log");
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const flags = Object.entries({ ...settings, port: String(port) }).map(([name, value]) => `-c ${name}='${value}'`);
    const args = [
      "start",
      "-w",
      "-s",
      "-t",
      String(times.startSeconds),
      "-D",
      place.pgData,
      "-l",
      log,
      "-o",
      flags.join(" "),
    ];
    const { code, output } = await run(place, place.binaries.pgCtl, args);
    // Whatever pg_ctl says of its own waiting, what counts is whether a server takes our connections.
    const running = await adopt(place);
    if (running) return running;
    // The port was free a moment ago and may be taken by now.
    if (code !== 0 && attempt < 5 && (await logTail(log)).includes("Address already in use")) continue;
    throw new StartError(`PostgreSQL did not start (${lastLine(output) || "no reason given"}): see ${log}.`);
  }
}

function handle(place: Place, { pid, port }: { pid: number; port: number }, adopted: boolean): EmbeddedPostgres {
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    // Another controller may have replaced the server since.
    if ((await findPostmaster(place.pgData))?.pid !== pid) return;
    process.kill(pid, "SIGINT");
    const deadline = place.clock.now() + times.stopMs;
    while ((await findPostmaster(place.pgData))?.pid === pid) {
      if (place.clock.now() > deadline) throw new Error(`PostgreSQL (pid ${pid}) does not stop`);
      await place.clock.sleep(times.pollMs);
    }
  };
  return {
    url: urlOf(place, port, database),
    pid,
    adopted,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Whether the server takes our password, and has our database: which is made if it is not there. */
async function prepareDatabase(place: Place, port: number): Promise<boolean> {
  if ((await query(place, port, database, "select 1")) === "ok") return true;
  const made = await query(place, port, "postgres", `create database ${database}`);
  return made === "ok" || made === "42P04";
}

/** `ok`, or the code of the error. */
async function query(place: Place, port: number, name: string, sql: string): Promise<string> {
  const client = new pg.Client({ connectionString: urlOf(place, port, name), connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query(sql);
    return "ok";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unknown";
  } finally {
    await client.end().catch(() => {});
  }
}

function urlOf(place: Place, port: number, name: string): string {
  return `postgres://${user}:${place.password}@127.0.0.1:${port}/${name}`;
}

/** Runs one of PostgreSQL's programs as its account, with nothing of the controller's environment. */
function run(place: Place, program: string, args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: "/",
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", "pipe", "pipe"],
      ...(place.account ? { uid: place.account.uid, gid: place.account.gid } : {}),
    });
    const output: string[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk.toString()));
    child.once("error", reject);
    child.once("exit", (code) => resolve({ code, output: output.join("") }));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

async function logTail(path: string): Promise<string> {
  return ((await readTextIfExists(path)) ?? "").slice(-4096);
}

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) ?? "";
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
