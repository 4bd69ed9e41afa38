import { Agent, type ClientRequestArgs } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "@berth/base";
import type { ServerAddress } from "./address.ts";
import type { CertificateTrust } from "./trust.ts";
import { openVerifiedSocket, type PendingSocket } from "./verified-socket.ts";

/**
 * PVE closes a connection that was idle for 5 s. We close well before: a POST written into a connection that the
 * server is just closing could not be told from one that acted.
 */
const IDLE_MS = 2_000;

/**
 * Keeps connections to one server, each verified before the HTTP client gets it. The number of connections at a time
 * is not bounded here: Node leaves queued requests waiting for ever when the connection made for them fails.
 */
export class VerifiedAgent extends Agent {
  // Node compares it with the request's.
  readonly protocol = "https:";
  readonly #address: ServerAddress;
  readonly #trust: CertificateTrust;
  readonly #connectTimeoutMs: number;
  readonly #clock: Clock;
  readonly #pending = new Set<PendingSocket>();

  constructor(address: ServerAddress, trust: CertificateTrust, connectTimeoutMs: number, clock: Clock) {
    super({ keepAlive: true, maxFreeSockets: 8, timeout: IDLE_MS });
    this.#address = address;
    this.#trust = trust;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#clock = clock;
  }

  override createConnection(
    _options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const pending = openVerifiedSocket(this.#address, this.#trust, this.#connectTimeoutMs, this.#clock);
    this.#pending.add(pending);
    pending.verified
      .finally(() => this.#pending.delete(pending))
      // Node gives no stream to the callback when there is an error, though its type asks for one.
      .then(
        (socket) => callback?.(null, socket),
        (error) => (callback as ((error: unknown) => void) | undefined)?.(error),
      );
    return undefined;
  }

  /** Closes all connections, also those that are being made. */
  override destroy(): void {
    for (const pending of this.#pending) pending.destroy();
    super.destroy();
  }
}
