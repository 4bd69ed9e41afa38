import { createHash } from "node:crypto";
import { apiPrefix } from "@berth/protocol";
import type { Berth } from "./berth.ts";

/** An answer of the REST API, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** Its body as JSON, where it is. */
  readonly json: Record<string, unknown>;
}

/** The calls about one sandbox's workspace, as curl makes them. */
export class WorkspaceClient {
  readonly #berth: Berth;
  readonly #sandboxId: string;

  constructor(berth: Berth, sandboxId: string) {
    this.#berth = berth;
    this.#sandboxId = sandboxId;
  }

  /** `path` begins behind the sandbox: `files/content`. */
  async call(
    method: string,
    path: string,
    query: Record<string, string> = {},
    more: { headers?: Record<string, string>; body?: Uint8Array | object } = {},
  ): Promise<Answer> {
    const isBytes = more.body instanceof Uint8Array;
    const type = isBytes ? "application/octet-stream" : "application/json";
    const headers = {
      authorization: `Bearer ${this.#berth.token}`,
      ...(more.body ? { "content-type": type } : {}),
      ...more.headers,
    };
    const body = isBytes ? more.body : more.body && JSON.stringify(more.body);
    const response = await fetch(this.address(path, query), {
      method,
      headers,
      ...(body ? { body } : {}),
    } as RequestInit);
    const bytes = Buffer.from(await response.arrayBuffer());
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      json: isJson ? JSON.parse(bytes.toString()) : {},
    };
  }

  get(path: string, query: Record<string, string> = {}, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call("GET", path, query, { headers });
  }

  put(path: string, body: Uint8Array | string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call("PUT", "files/content", { path }, { headers, body: Buffer.from(body) });
  }

  post(path: string, body: object): Promise<Answer> {
    return this.call("POST", path, {}, { body });
  }

  address(path: string, query: Record<string, string> = {}): string {
    const search = new URLSearchParams(query).toString();
    return `${this.#berth.url}${apiPrefix}/sandboxes/${this.#sandboxId}/${path}${search ? `?${search}` : ""}`;
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
