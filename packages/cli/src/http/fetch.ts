import http from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { connectError } from "./connect-error.ts";
import { type Trust, tlsOptions } from "./trust.ts";

export interface VerifiedFetch {
  readonly fetch: typeof fetch;
  /** Ends connections that are kept for later calls. */
  dispose(): void;
}

/** `fetch` as far as it is used here, over connections held to a trust. Rejects with `CommandFailed` if nobody answers. */
export function verifiedFetch(trust: Trust): VerifiedFetch {
  const plain = new http.Agent({ keepAlive: true });
  const secure = new https.Agent({ keepAlive: true, ...tlsOptions(trust) });
  return {
    fetch: (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      return request(url, init ?? {}, url.protocol === "https:" ? secure : plain);
    },
    dispose: () => {
      plain.destroy();
      secure.destroy();
    },
  };
}

async function request(url: URL, init: RequestInit, agent: http.Agent): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const { request: send } = url.protocol === "https:" ? https : http;
  const outgoing = send(url, {
    agent,
    method: init.method ?? "GET",
    headers: Object.fromEntries(new Headers(init.headers)),
    ...(init.signal ? { signal: init.signal } : {}),
  });
  outgoing.once("response", resolve).once("error", reject);
  sendBody(outgoing, init.body);
  try {
    return response(await promise);
  } catch (error) {
    if (init.signal?.aborted) throw init.signal.reason;
    throw connectError(url, error);
  }
}

function sendBody(outgoing: http.ClientRequest, body: RequestInit["body"]): void {
  if (body === undefined || body === null) outgoing.end();
  else if (typeof body === "string" || body instanceof Uint8Array) outgoing.end(body);
  else if (body instanceof ReadableStream) {
    // Node's type of a web stream and the global one differ in name alone.
    const stream = Readable.fromWeb(body as NodeReadableStream<Uint8Array>);
    stream.once("error", (error) => outgoing.destroy(error)).pipe(outgoing);
  } else throw new TypeError("a body of this kind is not sent by anybody here");
}

function response(message: http.IncomingMessage): Response {
  const status = message.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  if (status === 204 || status === 304) {
    message.resume();
    return new Response(null, { status, headers });
  }
  return new Response(Readable.toWeb(message) as ReadableStream<Uint8Array<ArrayBuffer>>, { status, headers });
}
