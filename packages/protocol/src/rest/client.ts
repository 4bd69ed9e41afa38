import { Value } from "typebox/value";
import { BerthError, type ErrorCode, isErrorCode, type Problem, problemSchema } from "../errors.ts";
import { parseJson } from "../json.ts";
import { apiPrefix, type CallInput, type Route, type RouteResult } from "./route.ts";

export interface ClientOptions {
  /** `http://127.0.0.1:7400`; empty for the page's own origin. */
  baseUrl: string;
  /** An API token or session token; absent where a cookie signs in. */
  token?: string;
  /** For tests and for other runtimes. */
  fetch?: typeof fetch;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Makes a repeated call of an idempotent route act once. */
  idempotencyKey?: string;
}

/** Calls routes by their definition. Errors of the contract reject with `BerthError`; results are checked. */
export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  async call<R extends Route>(route: R, input: CallInput<R>, options: CallOptions = {}): Promise<RouteResult<R>> {
    const parts: { params?: unknown; query?: unknown; body?: unknown } = input;
    const headers = new Headers({ accept: "application/json" });
    if (this.#options.token) headers.set("authorization", `Bearer ${this.#options.token}`);
    if (parts.body !== undefined) headers.set("content-type", "application/json");
    if (options.idempotencyKey) headers.set("idempotency-key", options.idempotencyKey);
    const response = await (this.#options.fetch ?? fetch)(`${this.#options.baseUrl}${routeUrl(route, input)}`, {
      method: route.method,
      headers,
      ...(parts.body === undefined ? {} : { body: JSON.stringify(parts.body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw problemError(response.status, text);
    if (!route.result || (route.mayBeEmpty && response.status === 204)) return undefined as RouteResult<R>;
    const value = parseJson(text);
    if (!Value.Check(route.result, value)) {
      throw new BerthError("internal", "The server's answer does not fit its own contract: are its versions mixed?");
    }
    return value as RouteResult<R>;
  }
}

/** A route's path with its parameters and query filled in, from `/api/v1` on. */
export function routeUrl<R extends Route>(route: R, input: CallInput<R>): string {
  const parts: { params?: unknown; query?: unknown } = input;
  const params = new Map(Object.entries(parts.params ?? {}));
  const path = route.path.replace(/:([a-zA-Z]+)/g, (_, name: string) => encodeURIComponent(String(params.get(name))));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parts.query ?? {})) {
    if (value !== undefined) query.set(name, String(value));
  }
  const search = query.toString();
  return `${apiPrefix}${path}${search ? `?${search}` : ""}`;
}

/** The error that a problem document tells of. */
export function problemError(status: number, text: string): BerthError {
  const value = parseJson(text);
  if (Value.Check(problemSchema, value)) return new BerthError(knownCode(value), value.detail, details(value));
  return new BerthError("internal", `The server answered ${status} without a reason.`);
}

function knownCode(problem: Problem): ErrorCode {
  return isErrorCode(problem.code) ? problem.code : "internal";
}

function details(problem: Problem) {
  return {
    ...(problem.hint === undefined ? {} : { hint: problem.hint }),
    ...(problem.fields === undefined ? {} : { fields: problem.fields }),
  };
}
