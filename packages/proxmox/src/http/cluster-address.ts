import type { ProxmoxFailure } from "../failure.ts";
import type { ServerAddress } from "./address.ts";
import { ExchangeFailed, type ExchangeLimits, exchange, type OutgoingCall, type RawAnswer } from "./exchange.ts";
import type { CertificateTrust } from "./trust.ts";
import { Turns } from "./turns.ts";
import { VerifiedAgent } from "./verified-agent.ts";
import { ConnectFailed } from "./verified-socket.ts";

interface Server {
  readonly address: ServerAddress;
  readonly agent: VerifiedAgent;
  readonly turns: Turns;
  /** Why it was passed over last; undefined: it answered, or was not asked yet. */
  failure: ProxmoxFailure | undefined;
}

/** Hears that an address is passed over (and why), or serves again. */
type AddressListener = (origin: string, failure: ProxmoxFailure | undefined) => void;

/** What calls fail with after `destroy`. */
export const closed = { kind: "unreachable", address: "the cluster", detail: "the client was closed" } as const;

/** How long one of several servers may take to begin its answer to a look, in milliseconds, before the next is asked. */
const hangsAfterMs = 15_000;

/** The servers of one cluster, any of which answers for all. Remembers the one that worked last. */
export class ClusterAddress {
  readonly #servers: readonly Server[];
  readonly #limits: ExchangeLimits;
  readonly #onAddress: AddressListener;
  #current = 0;
  #destroyed = false;

  constructor(
    addresses: readonly ServerAddress[],
    trust: CertificateTrust,
    options: { connectTimeoutMs: number; limits: ExchangeLimits; onAddress: AddressListener },
  ) {
    const { connectTimeoutMs, limits, onAddress } = options;
    this.#servers = addresses.map((address) => ({
      address,
      agent: new VerifiedAgent(address, trust, connectTimeoutMs, limits.clock),
      turns: new Turns(limits.clock),
      failure: undefined,
    }));
    this.#limits = limits;
    this.#onAddress = onAddress;
  }

  /**
   * Sends a request to the server that worked last. The next is tried when no connection could be made or its certificate
   * is not trusted, that is when nothing was sent, so this is no repetition and right for every method; and for a GET
   * also when no answer comes. A server that breaks off is not asked first again. What is wrong with an address is told,
   * so that it does not go unnoticed because another one is fine.
   */
  async send(call: OutgoingCall): Promise<RawAnswer> {
    const first = this.#current;
    const failures: (ConnectFailed | ExchangeFailed)[] = [];
    for (let turn = 0; turn < this.#servers.length; turn += 1) {
      const index = (first + turn) % this.#servers.length;
      const server = this.#servers[index];
      if (!server) break;
      try {
        const answer = await this.#exchange(server, call, this.#limitsOf(call, turn));
        this.#current = index;
        this.#note(server, undefined);
        return answer;
      } catch (error) {
        if (!(error instanceof ConnectFailed) && !(error instanceof ExchangeFailed)) throw error;
        this.#passOver(server, index, error.failure);
        if (error instanceof ExchangeFailed && !this.#mayAskNext(call, error)) throw error;
        failures.push(error);
      }
    }
    throw whole(failures);
  }

  /** Closes all connections; exchanges that run or wait fail. */
  destroy(): void {
    this.#destroyed = true;
    for (const server of this.#servers) server.agent.destroy();
  }

  #exchange({ turns, agent, address }: Server, call: OutgoingCall, limits: ExchangeLimits): Promise<RawAnswer> {
    return turns.run(() => {
      if (this.#destroyed) throw new ConnectFailed(closed);
      return exchange(agent, address, call, limits);
    }, call.signal);
  }

  /** The last server of a round has all the time that there is. */
  #limitsOf({ method }: OutgoingCall, turn: number): ExchangeLimits {
    if (method !== "GET" || turn === this.#servers.length - 1) return this.#limits;
    return { ...this.#limits, headersTimeoutMs: Math.min(this.#limits.headersTimeoutMs, hangsAfterMs) };
  }

  #mayAskNext({ method }: OutgoingCall, { failure }: ExchangeFailed): boolean {
    return method === "GET" && failure.kind === "timeout" && this.#servers.length > 1;
  }

  #passOver(server: Server, index: number, failure: ProxmoxFailure): void {
    if (this.#current === index) this.#current = (index + 1) % this.#servers.length;
    this.#note(server, failure);
  }

  #note(server: Server, failure: ProxmoxFailure | undefined): void {
    const changed = server.failure?.kind !== failure?.kind;
    server.failure = failure;
    if (changed) this.#onAddress(server.address.origin, failure);
  }
}

/** What a whole round of failures comes to: somebody has to look at a certificate, and what was sent counts most. */
function whole(failures: readonly (ConnectFailed | ExchangeFailed)[]): Error | undefined {
  const unconnected = failures.filter((error) => error instanceof ConnectFailed);
  const sent = failures.find((error) => error instanceof ExchangeFailed);
  return sent ?? unconnected.find(({ failure }) => failure.kind === "certificate") ?? joined(unconnected);
}

function joined(failures: readonly ConnectFailed[]): ConnectFailed {
  const [first, ...others] = failures;
  if (first && others.length === 0) return first;
  const detail = failures.map((each) => `${each.failure.address}: ${each.failure.detail}`).join("; ");
  const address = `any of ${failures.length} addresses`;
  return new ConnectFailed({ kind: "unreachable", address, detail }, first);
}
