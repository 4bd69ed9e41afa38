import type { ServerAddress } from "./address.ts";
import { type ExchangeLimits, exchange, type OutgoingCall, type RawAnswer } from "./exchange.ts";
import type { CertificateTrust } from "./trust.ts";
import { VerifiedAgent } from "./verified-agent.ts";
import { ConnectFailed } from "./verified-socket.ts";

interface Server {
  readonly address: ServerAddress;
  readonly agent: VerifiedAgent;
}

/** The servers of one cluster, any of which answers for all. Remembers the one that worked last. */
export class ClusterAddress {
  readonly #servers: readonly Server[];
  readonly #limits: ExchangeLimits;
  #current = 0;

  constructor(
    addresses: readonly ServerAddress[],
    trust: CertificateTrust,
    connectTimeoutMs: number,
    limits: ExchangeLimits,
  ) {
    this.#servers = addresses.map((address) => ({
      address,
      agent: new VerifiedAgent(address, trust, connectTimeoutMs, limits.clock),
    }));
    this.#limits = limits;
  }

  /**
   * Sends a request to the server that worked last. The next is tried only when no connection could be made, that is
   * when nothing was sent, so this is no repetition and right for every method. A certificate that is not trusted ends
   * the round: somebody has to look at it, and it must not go unnoticed because another node is fine.
   */
  async send(call: OutgoingCall): Promise<RawAnswer> {
    const first = this.#current;
    const failures: ConnectFailed[] = [];
    for (let turn = 0; turn < this.#servers.length; turn += 1) {
      const index = (first + turn) % this.#servers.length;
      const server = this.#servers[index];
      if (!server) break;
      try {
        const answer = await exchange(server.agent, server.address, call, this.#limits);
        this.#current = index;
        return answer;
      } catch (error) {
        if (!(error instanceof ConnectFailed)) throw error;
        if (error.failure.kind === "certificate") throw error;
        failures.push(error);
      }
    }
    throw joined(failures);
  }

  /** Closes all connections; running exchanges fail. */
  destroy(): void {
    for (const server of this.#servers) server.agent.destroy();
  }
}

function joined(failures: readonly ConnectFailed[]): ConnectFailed {
  const [first, ...others] = failures;
  if (first && others.length === 0) return first;
  const detail = failures.map((each) => `${each.failure.address}: ${each.failure.detail}`).join("; ");
  const address = `any of ${failures.length} addresses`;
  return new ConnectFailed({ kind: "unreachable", address, detail }, first);
}
