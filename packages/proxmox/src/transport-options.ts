import type { BackoffOptions, Clock } from "@berth/base";
import type { ProxmoxCredentials } from "./auth/credentials.ts";
import type { ProxmoxError } from "./error.ts";
import type { CertificateTrust } from "./http/trust.ts";

/** How to reach a Proxmox VE cluster, and how patient to be. */
export interface TransportOptions {
  /** `https://host:8006`; several are nodes of one cluster, any of which serves while others cannot. */
  readonly urls: readonly string[];
  readonly credentials: ProxmoxCredentials;
  readonly trust: CertificateTrust;
  /** Hears when an address is passed over, and why, and when it serves again. */
  readonly onAddress?: ((origin: string, error: ProxmoxError | undefined) => void) | undefined;
  readonly clock?: Clock;
  /** For the TCP connection and the TLS handshake together. Default 8000. */
  readonly connectTimeoutMs?: number;
  /** From a connection at hand to the answer's head; PVE itself waits up to 10 s for locks. Default 60 000. */
  readonly headersTimeoutMs?: number;
  /** For the whole body. Default 60 000. */
  readonly bodyTimeoutMs?: number;
  /** Largest answer that is read. Default 16 MiB. */
  readonly maxBodyBytes?: number;
  /** Repetitions of a GET that met a connection error, or status 502–504, 595, 596 or 599. Default 3. */
  readonly getRetries?: number;
  /** Waits between them. Default 200 ms doubling up to 2 s, half of it at random. */
  readonly retryBackoff?: BackoffOptions;
  /** Age at which a ticket is renewed; it dies at 2 h. Default 1 h. */
  readonly ticketRenewMs?: number;
}

/** What one call may say beside its parameters. */
export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. A call that acts may have acted by then. */
  readonly signal?: AbortSignal | undefined;
  /** Instead of the transport's `getRetries`; 0 for a look that is repeated anyway, such as a health check. */
  readonly getRetries?: number | undefined;
}
