import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Scope } from "@berth/base";
import { generate } from "selfsigned";
import { ProxmoxClient, type TransportOptions } from "../src/index.ts";

/** A certificate of its own for 127.0.0.1, made once a test file. */
export interface Identity {
  readonly key: string;
  readonly cert: string;
  readonly fingerprint: string;
}

/** Makes a self-signed certificate that is valid for 127.0.0.1. */
export async function makeIdentity(): Promise<Identity> {
  const pems = await generate([{ name: "commonName", value: "pve1" }], {
    keyType: "ec",
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] },
    ],
  });
  return { key: pems.private, cert: pems.cert, fingerprint: new X509Certificate(pems.cert).fingerprint256 };
}

/** One request as the server saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Script = (request: SeenRequest, response: ServerResponse) => void | Promise<void>;

/** A real TLS server that answers as a test's script says. */
export class ScriptedServer {
  readonly requests: SeenRequest[] = [];
  connections = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(scope: Scope, identity: Identity, script: Script): Promise<ScriptedServer> {
    const server = createServer({ key: identity.key, cert: identity.cert });
    const scripted = new ScriptedServer(server);
    server.on("secureConnection", () => {
      scripted.connections += 1;
    });
    server.on("request", async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { method = "", url = "", headers } = request;
      const seen = { method, url, headers, body: Buffer.concat(chunks).toString() };
      scripted.requests.push(seen);
      await script(seen, response);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    scope.add(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    });
    return scripted;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
}

/** Answers data as PVE does. */
export function answer(response: ServerResponse, data: unknown, beside: Record<string, unknown> = {}): void {
  response.writeHead(200, { "content-type": "application/json;charset=UTF-8" });
  response.end(JSON.stringify({ data, ...beside }));
}

/** Refuses as PVE before http-server 5.2 does: a reason phrase and nothing else. */
export function refuse(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, reason, { "content-length": "0" });
  response.end();
}

export const TOKEN = { kind: "token", id: "berth@pve!ctl", secret: "11111111-2222-3333-4444-555555555555" } as const;

/** A client for the server, disposed with the scope. */
export function clientFor(
  scope: Scope,
  identity: Identity,
  urls: string | readonly string[],
  options: Partial<TransportOptions> = {},
): ProxmoxClient {
  return scope.own(
    new ProxmoxClient({
      urls: typeof urls === "string" ? [urls] : urls,
      credentials: TOKEN,
      trust: { kind: "fingerprint", fingerprints: [identity.fingerprint] },
      retryBackoff: { firstMs: 1, maxMs: 2 },
      ...options,
    }),
  );
}

/** The error that a promise rejects with; throws if it resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("resolved where a rejection was expected");
}
