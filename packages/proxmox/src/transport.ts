import { type BackoffOptions, backoffMs, type Clock, systemClock } from "@berth/base";
import type { ApiRequestable } from "proxmox-api";
import Type from "typebox";
import { type AnsweredCall, answerOf } from "./answer.ts";
import { type Authenticator, TokenAuthenticator } from "./auth/authenticator.ts";
import { checkCredentials, principalOf } from "./auth/credentials.ts";
import { type Ticket, TicketAuthenticator } from "./auth/ticket.ts";
import { type AnswerEnvelope, readEnvelope, refusalText } from "./envelope.ts";
import { isProxmoxError, type ProxmoxError, proxmoxError } from "./error.ts";
import { parseAddress } from "./http/address.ts";
import { ClusterAddress, closed } from "./http/cluster-address.ts";
import { ExchangeFailed, type RawAnswer } from "./http/exchange.ts";
import { encodeCall } from "./http/parameters.ts";
import { normaliseTrust } from "./http/trust.ts";
import { ConnectFailed } from "./http/verified-socket.ts";
import { failureOfRefusal } from "./refusal.ts";
import type { CallOptions, TransportOptions } from "./transport-options.ts";

/** One call of the API. */
export interface ApiCall extends CallOptions {
  /** `GET`, `POST`, `PUT` or `DELETE`, in any case. */
  readonly method: string;
  /** `/api2/json/…`, its segments not yet URL-encoded. */
  readonly path: string;
  /** Never changed. Undefined members are left out, booleans become 1 and 0, lists are joined by commas. */
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

/** What came back. */
export interface ApiAnswer {
  readonly data: unknown;
  /** Beside the data of some lists. */
  readonly total: number | undefined;
  /** The call, for those who check the data. */
  readonly call: AnsweredCall;
}

const TICKET_PATH = "/api2/json/access/ticket";

/** Statuses of a GET that are worth another try: gateways in trouble, and PVE's own proxy (AnyEvent's 595, 596, 599). */
const RETRIED_STATUSES: ReadonlySet<number> = new Set([502, 503, 504, 595, 596, 599]);

/** Those that come before the call was carried out; after the other statuses of gateways it may have been. */
const HARMLESS_GATEWAY_STATUS = 595;

const readTicket = answerOf(
  Type.Object({
    ticket: Type.String({ minLength: 1 }),
    // Absent as long as the second factor is owed.
    CSRFPreventionToken: Type.Optional(Type.String({ minLength: 1 })),
    NeedTFA: Type.Optional(Type.Unknown()),
  }),
);

/**
 * Our own transport under proxmox-api's proxy. Every failure is a ProxmoxError, but an abort, which rejects with the
 * signal's reason. A GET that met a connection error is repeated a few times; **nothing else is ever sent twice**, with
 * one exception that is none: after a 401 to a ticket it logs in anew and sends the call once more, whatever its
 * method, since Proxmox authenticates before it dispatches and so has done nothing.
 */
export class Transport implements ApiRequestable, AsyncDisposable {
  readonly clock: Clock;
  readonly #cluster: ClusterAddress;
  readonly #authenticator: Authenticator;
  readonly #principal: string;
  readonly #getRetries: number;
  readonly #backoff: BackoffOptions;
  #closed = false;

  /** Throws a ProxmoxError of kind `settings` for options that cannot work. Connects on the first call. */
  constructor(options: TransportOptions) {
    const { credentials } = options;
    if (options.urls.length === 0) throw proxmoxError({ kind: "settings", detail: "PROXMOX_URL names no address" });
    checkCredentials(credentials);
    this.clock = options.clock ?? systemClock;
    this.#principal = principalOf(credentials);
    this.#getRetries = options.getRetries ?? 3;
    this.#backoff = options.retryBackoff ?? { firstMs: 200, maxMs: 2_000 };
    this.#cluster = new ClusterAddress(options.urls.map(parseAddress), normaliseTrust(options.trust), {
      connectTimeoutMs: options.connectTimeoutMs ?? 8_000,
      limits: {
        headersTimeoutMs: options.headersTimeoutMs ?? 60_000,
        bodyTimeoutMs: options.bodyTimeoutMs ?? 60_000,
        maxBodyBytes: options.maxBodyBytes ?? 16 * 1024 * 1024,
        clock: this.clock,
      },
      onAddress: (origin, failure) => options.onAddress?.(origin, failure && proxmoxError(failure)),
    });
    this.#authenticator =
      credentials.kind === "token"
        ? new TokenAuthenticator(credentials.id, credentials.secret)
        : new TicketAuthenticator(
            () => this.#login(credentials.user, credentials.password),
            options.ticketRenewMs ?? 3_600_000,
            this.clock,
          );
  }

  /** What proxmox-api's proxy calls; answers the data alone. */
  async doRequest(method: string, path: string, _template: string, params?: ApiCall["params"]): Promise<unknown> {
    return (await this.call({ method, path, params })).data;
  }

  /** The same for calls under these options. */
  bound(options: CallOptions): ApiRequestable {
    return {
      doRequest: async (method, path, _template, params) =>
        (await this.call({ ...options, method, path, params })).data,
    };
  }

  /** Makes one call. */
  async call(request: ApiCall): Promise<ApiAnswer> {
    const call = { ...request, method: request.method.toUpperCase() };
    const retries = call.method === "GET" ? (call.getRetries ?? this.#getRetries) : 0;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#authenticated(call);
      } catch (error) {
        if (this.#closed || attempt >= retries || !isWorthRepeating(error)) throw error;
      }
      await this.clock.sleep(backoffMs(attempt, this.#backoff), call.signal);
    }
  }

  /** Ends all calls and closes all connections. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cluster.destroy();
    return Promise.resolve();
  }

  async #authenticated(call: ApiCall): Promise<ApiAnswer> {
    const first = await this.#authenticator.headersFor(call.method, call.signal);
    try {
      return await this.#once(call, first.headers);
    } catch (error) {
      if (!isProxmoxError(error, "unauthorized") || !this.#authenticator.refused(first.session)) throw error;
    }
    const second = await this.#authenticator.headersFor(call.method, call.signal);
    return this.#once(call, second.headers);
  }

  async #once(call: ApiCall, headers: Readonly<Record<string, string>>): Promise<ApiAnswer> {
    const answered = { method: call.method, path: call.path.replace(/^\/api2\/json/, "") };
    if (this.#closed) throw proxmoxError(closed, answered);
    const encoded = encodeCall(call.method, call.path, call.params);
    let raw: RawAnswer;
    try {
      raw = await this.#cluster.send({ ...encoded, method: call.method, headers, signal: call.signal });
    } catch (error) {
      throw transportError(error, answered);
    }
    const envelope = readEnvelope(raw.body);
    if (raw.status < 200 || raw.status > 299) throw this.#refusal(raw, envelope, answered);
    if (envelope) return { data: envelope.data, total: envelope.total, call: answered };
    throw proxmoxError(
      { kind: "protocol", detail: `a body that is not Proxmox's JSON (${raw.body.length} bytes)` },
      { ...answered, status: raw.status, reason: raw.reason, mayHaveActed: call.method !== "GET" },
    );
  }

  #refusal(raw: RawAnswer, envelope: AnswerEnvelope | undefined, call: AnsweredCall): ProxmoxError {
    const detail = refusalText(raw, envelope);
    const errors = envelope?.errors ?? {};
    const failure = failureOfRefusal({ status: raw.status, detail, errors, principal: this.#principal });
    const gateway = RETRIED_STATUSES.has(raw.status) || (raw.status >= 597 && raw.status <= 598);
    const mayHaveActed = call.method !== "GET" && gateway && raw.status !== HARMLESS_GATEWAY_STATUS;
    return proxmoxError(failure, { ...call, status: raw.status, reason: raw.reason, mayHaveActed });
  }

  /** Logging in changes nothing that matters, so a failure of it never tells that the call behind it may have acted. */
  async #login(username: string, password: string): Promise<Ticket> {
    const call = { method: "POST", path: TICKET_PATH, params: { username, password } };
    const answer = await this.#once(call, {}).catch((error: unknown) => {
      throw isProxmoxError(error) && error.mayHaveActed ? proxmoxError(error.failure, withoutAct(error)) : error;
    });
    const fields = readTicket(answer.data, answer.call);
    if (fields.NeedTFA || fields.CSRFPreventionToken === undefined) {
      const detail = "the account asks for a second factor; use an API token";
      throw proxmoxError({ kind: "unauthorized", detail, principal: this.#principal }, answer.call);
    }
    return { ticket: fields.ticket, csrfToken: fields.CSRFPreventionToken };
  }
}

function withoutAct(error: ProxmoxError) {
  const { method, path, status, reason } = error;
  return { method, path, status, reason, cause: error };
}

function isWorthRepeating(error: unknown): boolean {
  if (isProxmoxError(error, "unreachable")) return true;
  return isProxmoxError(error) && error.status !== undefined && RETRIED_STATUSES.has(error.status);
}

/** Makes a ProxmoxError of what the exchange threw; an abort's reason passes as it is. */
function transportError(error: unknown, call: AnsweredCall): unknown {
  if (error instanceof ConnectFailed) return proxmoxError(error.failure, { ...call, cause: error.cause });
  if (error instanceof ExchangeFailed) {
    const mayHaveActed = call.method !== "GET";
    return proxmoxError(error.failure, { ...call, status: error.status, mayHaveActed, cause: error.cause });
  }
  return error;
}
