import type { FastifyBaseLogger } from "fastify";
import type { GatewayMetrics } from "./metrics.ts";
import type { BegunSession, SessionTraffic, SshSessions } from "./sessions.ts";

const noteMs = 60_000;

/** What is written down: a client's connection, or a jump through one. */
export interface RecordedSession {
  /** So far. */
  readonly traffic: SessionTraffic;
  /** Why it ended; read when it has. */
  readonly endReason: string;
  readonly closed: Promise<void>;
  /** Ends it, for the reason that the sentence says. */
  end(sentence: string): void;
}

/** Writes a session down, from its beginning to its end, which it waits for. Never rejects. */
export async function keepRecord(
  { sessions, log, metrics }: { sessions: SshSessions; log: FastifyBaseLogger; metrics: GatewayMetrics },
  session: RecordedSession,
  begun: BegunSession,
): Promise<void> {
  const about = { sandboxId: begun.sandbox?.id, userId: begun.ownerId, address: begun.remoteAddress };
  const failed = (err: unknown) => log.warn({ ...about, err }, "an SSH session could not be written down");
  metrics.open.inc();
  log.info({ ...about, key: begun.keyFingerprint, login: begun.login }, "SSH session begun");
  try {
    const id = await sessions.begin(begun);
    const timer = setInterval(() => void sessions.note(id, session.traffic).catch(failed), noteMs);
    await session.closed;
    clearInterval(timer);
    await sessions.end(id, session.traffic, session.endReason);
  } catch (err) {
    failed(err);
    // Nobody is connected without a trace.
    session.end("Berth could not write the session down");
    await session.closed;
  }
  const { bytesIn, bytesOut } = session.traffic;
  metrics.open.dec();
  metrics.bytes.inc({ direction: "in" }, bytesIn);
  metrics.bytes.inc({ direction: "out" }, bytesOut);
  log.info({ ...about, bytesIn, bytesOut, reason: session.endReason }, "SSH session ended");
}
