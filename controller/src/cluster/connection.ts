import type { Clock } from "@berth/base";
import type { Failure } from "@berth/protocol";
import {
  type CertificateTrust,
  ProxmoxClient as Client,
  isProxmoxError,
  normaliseFingerprint,
  type ProxmoxClient,
  type ProxmoxError,
  type TransportOptions,
} from "@berth/proxmox";
import type { ProxmoxAccess } from "../settings/settings.ts";

/** How patient the client is, where it is not as usual. */
export type ConnectionLimits = Pick<
  TransportOptions,
  "connectTimeoutMs" | "headersTimeoutMs" | "bodyTimeoutMs" | "maxBodyBytes" | "getRetries"
>;

/** The client for a cluster, as the settings describe it. Throws a ProxmoxError for settings that cannot work. */
export function connectProxmox(
  access: ProxmoxAccess,
  clock: Clock,
  tell: (line: string) => void,
  limits: ConnectionLimits = {},
): ProxmoxClient {
  const trust: CertificateTrust =
    access.fingerprints.length === 0
      ? { kind: "ca" }
      : { kind: "fingerprint", fingerprints: access.fingerprints.map(normaliseFingerprint) };
  return new Client({
    urls: access.urls,
    credentials: { kind: "token", id: access.tokenId, secret: access.tokenSecret },
    trust,
    clock,
    ...limits,
    // With one address every call says it.
    ...(access.urls.length > 1 ? { onAddress: (origin, error) => tell(aboutAddress(origin, error)) } : {}),
  });
}

function aboutAddress(origin: string, error: ProxmoxError | undefined): string {
  if (!error) return `the Proxmox address ${origin} serves`;
  return `warning: the Proxmox address ${origin} is passed over for the others: ${error.message}. ${error.hint}`;
}

/** How long the answer to "can Proxmox be used" is believed, in milliseconds. */
const freshMs = 3_000;
const probeTimeoutMs = 5_000;

/** Tells whether Proxmox can be used, asking it now and then. */
export class ProxmoxHealth {
  readonly #client: ProxmoxClient;
  readonly #clock: Clock;
  #known: { at: number; failure: Failure | undefined } | undefined;
  #asking: Promise<Failure | undefined> | undefined;

  constructor(client: ProxmoxClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Why Proxmox cannot be used, or undefined if it can. */
  async failure(): Promise<Failure | undefined> {
    if (this.#known && this.#clock.now() - this.#known.at < freshMs) return this.#known.failure;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<Failure | undefined> {
    const failure = await this.#probe();
    this.#known = { at: this.#clock.now(), failure };
    return failure;
  }

  async #probe(): Promise<Failure | undefined> {
    try {
      await this.#client.cluster.version({ getRetries: 0, signal: AbortSignal.timeout(probeTimeoutMs) });
      return undefined;
    } catch (error) {
      if (isProxmoxError(error)) return { code: `proxmox_${error.kind}`, message: error.message, hint: error.hint };
      return {
        code: "proxmox_unreachable",
        message: `Proxmox did not answer within ${probeTimeoutMs / 1000} seconds.`,
        hint: "Check the address (PROXMOX_URL) and the network between here and there.",
      };
    }
  }
}
