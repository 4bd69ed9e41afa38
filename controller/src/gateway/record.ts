import type { FastifyBaseLogger } from "fastify";
import type { Connection } from "ssh2";
import type { GatewayConnection } from "./connection.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { BegunSession, SshSessions } from "./sessions.ts";

const noteMs = 60_000;

/** Writes a connection down, from its beginning to its end, which it waits for. Never rejects. */
export async function keepRecord(
  { sessions, log, metrics }: { sessions: SshSessions; log: FastifyBaseLogger; metrics: GatewayMetrics },
  client: Connection,
  connection: GatewayConnection,
  begun: BegunSession,
): Promise<void> {
  const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
  const about = { sandboxId: begun.sandbox?.id, userId: begun.ownerId, address: begun.remoteAddress };
  const failed = (err: unknown) => log.warn({ ...about, err }, "an SSH session could not be written down");
  metrics.open.inc();
  log.info({ ...about, key: begun.keyFingerprint, login: begun.login }, "SSH session begun");
  try {
    const id = await sessions.begin(begun);
    const timer = setInterval(() => void sessions.note(id, connection.traffic).catch(failed), noteMs);
    await closed;
    clearInterval(timer);
    await sessions.end(id, connection.traffic, connection.endReason);
  } catch (err) {
    failed(err);
    // Nobody is connected without a trace.
    connection.end("Berth could not write the session down");
    await closed;
  }
  const { bytesIn, bytesOut } = connection.traffic;
  metrics.open.dec();
  metrics.bytes.inc({ direction: "in" }, bytesIn);
  metrics.bytes.inc({ direction: "out" }, bytesOut);
  log.info({ ...about, bytesIn, bytesOut, reason: connection.endReason }, "SSH session ended");
}
