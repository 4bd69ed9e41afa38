import { spawn } from "node:child_process";
import { createConnection, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { parseJson } from "@berth/protocol";
import { keeperAddress, keeperGreeting } from "./wire.ts";

/** How long a first start may take on a busy machine, in milliseconds. */
const startTimeoutMs = 30_000;

let shared: Promise<string> | undefined;

/**
 * The address of the PostgreSQL that all test processes of this machine share, `postgres://user:password@host:port`,
 * started if there is none. It stays while this process lives, and goes a moment after the last one.
 */
export function sharedPostgres(): Promise<string> {
  // One connection a process, since a process is what keeps it: no state that a test could see.
  shared ??= connectToPostgres().catch((error: unknown) => {
    shared = undefined;
    throw error;
  });
  return shared;
}

async function connectToPostgres(): Promise<string> {
  const deadline = performance.now() + startTimeoutMs;
  for (let attempt = 0; performance.now() < deadline; attempt += 1) {
    const url = await askKeeper();
    if (url !== undefined) return url;
    // A keeper that lost the race for the address ends at once, so one too many does no harm.
    if (attempt % 20 === 0) startKeeper();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`PostgreSQL for the tests did not start within ${startTimeoutMs} ms`);
}

/** Undefined when there is no keeper, or when it is just about to go. */
function askKeeper(): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket: Socket = createConnection(keeperAddress());
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk.toString("utf8");
      if (!received.includes("\n")) return;
      const greeting = parseJson(received);
      if (!keeperGreeting.Check(greeting)) reject(new Error("the keeper of PostgreSQL sent no greeting"));
      else if ("error" in greeting) reject(new Error(greeting.error));
      else resolve(greeting.url);
      // The connection stays open, as it is what keeps PostgreSQL, but does not keep this process alive.
      socket.unref();
    });
    socket.once("error", () => resolve(undefined));
    socket.once("close", () => resolve(undefined));
  });
}

function startKeeper(): void {
  const program = fileURLToPath(new URL("./keeper.ts", import.meta.url));
  // A bare environment: what the tests carry in theirs, such as a mark for leak checks, is not the keeper's.
  const env = Object.fromEntries(
    ["PATH", "HOME", "TMPDIR", "LANG"].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  spawn(process.execPath, [program], { cwd: "/", detached: true, stdio: "ignore", env }).unref();
}
