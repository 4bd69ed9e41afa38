/** What makes a request somebody's. */
export interface AuthHeaders {
  readonly headers: Readonly<Record<string, string>>;
  /** Names the session that the headers are of; undefined for a token, which has none. */
  readonly session: number | undefined;
}

/** Gives requests their credentials. */
export interface Authenticator {
  /** Headers for a request; may have to log in first. Rejects with the signal's reason if aborted meanwhile. */
  headersFor(method: string, signal: AbortSignal | undefined): Promise<AuthHeaders>;
  /**
   * Says that the server answered 401 to a session. True: another try with new headers may do better; false: it cannot.
   */
  refused(session: number | undefined): boolean;
}

/** An API token: the same header for ever, no CSRF token, no session. */
export class TokenAuthenticator implements Authenticator {
  readonly #headers: AuthHeaders;

  constructor(id: string, secret: string) {
    this.#headers = { headers: { authorization: `PVEAPIToken=${id}=${secret}` }, session: undefined };
  }

  headersFor(): Promise<AuthHeaders> {
    return Promise.resolve(this.#headers);
  }

  refused(): boolean {
    return false;
  }
}
