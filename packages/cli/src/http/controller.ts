import type { Clock } from "@berth/base";
import { type CallInput, Client, problemError, type Route, routeUrl } from "@berth/protocol";
import type { OpenSocket } from "@berth/protocol/viewer";
import { verifiedFetch } from "./fetch.ts";
import { socketOpener } from "./socket.ts";
import type { Trust } from "./trust.ts";

export interface ControllerOptions {
  readonly url: string;
  /** Empty before one is signed in. */
  readonly token: string;
  readonly trust: Trust;
  readonly clock: Clock;
}

/** A call that is not answered by one JSON value. */
export interface RawCall {
  readonly headers?: Record<string, string>;
  readonly body?: NonNullable<RequestInit["body"]>;
  readonly signal?: AbortSignal;
}

/** The controller that a command speaks with. */
export class Controller {
  readonly url: string;
  readonly client: Client;
  readonly openSocket: OpenSocket;
  readonly #token: string;
  readonly #fetch: ReturnType<typeof verifiedFetch>;

  constructor({ url, token, trust, clock }: ControllerOptions) {
    this.url = url;
    this.#token = token;
    this.#fetch = verifiedFetch(trust);
    this.client = new Client({ baseUrl: url, fetch: this.#fetch.fetch, ...(token ? { token } : {}) });
    this.openSocket = socketOpener({ baseUrl: url, token, trust, clock });
  }

  /** Calls a route whose answer is a stream; rejects with `BerthError` when it is refused. */
  async stream<R extends Route>(route: R, input: CallInput<R>, call: RawCall = {}): Promise<Response> {
    const response = await this.#fetch.fetch(`${this.url}${routeUrl(route, input)}`, {
      method: route.method,
      headers: { authorization: `Bearer ${this.#token}`, ...call.headers },
      ...(call.body === undefined ? {} : { body: call.body }),
      ...(call.signal ? { signal: call.signal } : {}),
    });
    if (!response.ok) throw problemError(response.status, await response.text());
    return response;
  }

  dispose(): void {
    this.#fetch.dispose();
  }
}
