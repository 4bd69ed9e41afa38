import { type Clock, systemClock } from "@berth/base";
import type { ApiRequestable } from "proxmox-api";
import type { CallOptions, TransportOptions } from "./transport-options.ts";
export class Transport implements ApiRequestable, AsyncDisposable {
  readonly clock: Clock;
  constructor(options: TransportOptions) {
    this.clock = options.clock ?? systemClock;
  }
  async doRequest(
    method: string,
    path: string,
    _template?: string,
    params?: Record<string, unknown>,
  ): Promise<unknown> {
    return (await this.call({ method, path, params })).data;
  }
  bound(_call: CallOptions): ApiRequestable {
    return this;
  }
  async call(_request: ApiCall): Promise<ApiAnswer> {
    throw new Error("not yet");
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}
export interface ApiCall extends CallOptions {
  readonly method: string;
  readonly path: string;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}
export interface ApiAnswer {
  readonly data: unknown;
  readonly total: number | undefined;
  readonly call: { readonly method: string; readonly path: string };
}
