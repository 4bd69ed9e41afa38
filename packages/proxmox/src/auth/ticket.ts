import type { Clock } from "@berth/base";
import type { Authenticator, AuthHeaders } from "./authenticator.ts";

/** A login's result. */
export interface Ticket {
  readonly ticket: string;
  readonly csrfToken: string;
}

interface Session extends Ticket {
  readonly number: number;
  readonly since: number;
}

/**
 * A ticket, renewed by a new login well before it dies. Calls that come while a login runs wait for that one. Logging
 * in is not tied to any one caller's signal: an impatient caller leaves, and the others keep their login.
 */
export class TicketAuthenticator implements Authenticator {
  readonly #login: () => Promise<Ticket>;
  readonly #renewMs: number;
  readonly #clock: Clock;
  #session: Session | undefined;
  #pending: Promise<Session> | undefined;
  #logins = 0;

  constructor(login: () => Promise<Ticket>, renewMs: number, clock: Clock) {
    this.#login = login;
    this.#renewMs = renewMs;
    this.#clock = clock;
  }

  async headersFor(method: string, signal: AbortSignal | undefined): Promise<AuthHeaders> {
    const session = await abortable(this.#current(), signal);
    // PVE's tickets hold `:`, `=`, `+` and `/`; as a cookie's value they go encoded.
    const cookie = `PVEAuthCookie=${encodeURIComponent(session.ticket)}`;
    const headers = method === "GET" ? { cookie } : { cookie, csrfpreventiontoken: session.csrfToken };
    return { headers, session: session.number };
  }

  /** Drops the session, unless a newer one has taken its place already. */
  refused(session: number | undefined): boolean {
    if (this.#session?.number === session) this.#session = undefined;
    return true;
  }

  #current(): Promise<Session> {
    const session = this.#session;
    if (session && this.#clock.now() - session.since < this.#renewMs) return Promise.resolve(session);
    this.#pending ??= this.#open().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #open(): Promise<Session> {
    // Its age counts from before the login, when the server had not made it yet.
    const since = this.#clock.now();
    const ticket = await this.#login();
    this.#logins += 1;
    this.#session = { ...ticket, number: this.#logins, since };
    return this.#session;
  }
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
