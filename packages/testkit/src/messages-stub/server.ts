import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseJson } from "@berth/protocol";
import { answerEvents, answerMessage } from "./answer-stream.ts";
import { type MessagesRequest, readMessagesRequest } from "./request.ts";
import { type Answer, errorAnswer, type Responder, scriptedResponder } from "./script.ts";

/** Bound of a request's body; the CLI's own is some 100 KB and grows with the conversation. */
const maxBodyBytes = 32 * 1024 * 1024;

export interface MessagesStubOptions {
  /** On 127.0.0.1; 0, a free one, by default. */
  readonly port?: number;
  /** The credential that requests must carry, as Bearer or `x-api-key`; others are answered by 401. */
  readonly token?: string;
  /** Decides the answers; by default `scriptedResponder()`. */
  readonly responder?: Responder;
  /** How many requests are kept, the latest; 100 by default. */
  readonly keptRequests?: number;
}

/** A running stub of the Messages API. */
export class MessagesStub {
  readonly #server: Server;
  readonly #token: string;
  readonly #keptRequests: number;
  #responder: Responder;
  #requests: MessagesRequest[] = [];
  #refused = 0;

  constructor(options: MessagesStubOptions) {
    this.#token = options.token ?? "berth-stub-token";
    this.#responder = options.responder ?? scriptedResponder();
    this.#keptRequests = options.keptRequests ?? 100;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        if (!response.headersSent) sendError(response, errorAnswer(500, String(error)));
        else response.destroy();
      });
    });
  }

  /** `http://127.0.0.1:PORT`: what `ANTHROPIC_BASE_URL` is set to. */
  get url(): string {
    const address = this.#server.address() as AddressInfo | null;
    if (!address) throw new Error("the stub does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** What the Claude CLI needs in its environment to talk to this stub and to nothing else. */
  get environment(): Record<string, string> {
    return {
      ANTHROPIC_BASE_URL: this.url,
      ANTHROPIC_AUTH_TOKEN: this.#token,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL: "1",
      DISABLE_AUTOUPDATER: "1",
    };
  }

  /** The latest requests to `/v1/messages` that were let in, the oldest first. */
  get requests(): readonly MessagesRequest[] {
    return this.#requests;
  }

  /** How many requests came without the right credential. */
  get refused(): number {
    return this.#refused;
  }

  /** Decides answers from now on. */
  respondWith(responder: Responder): void {
    this.#responder = responder;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", resolve);
    });
  }

  /** Ends answers in their middle, and the server. */
  async dispose(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? "/", "http://stub").pathname;
    if (path === "/api/hello") return sendJson(response, 200, {});
    if (request.method !== "POST" || !/^\/v1\/messages(\/count_tokens)?$/.test(path)) {
      request.resume();
      return sendError(response, errorAnswer(404, `${request.method} ${path} is not in the stub.`));
    }
    const body = await readBody(request);
    if (!this.#authorised(request)) {
      this.#refused += 1;
      return sendError(response, errorAnswer(401, "invalid bearer token"));
    }
    if (body === undefined) return sendError(response, errorAnswer(413, "The request is too large."));
    const session = request.headers["x-claude-code-session-id"];
    const parsed = readMessagesRequest(parseJson(body), typeof session === "string" ? session : undefined);
    if (!parsed) return sendError(response, errorAnswer(400, "The body is not one of the Messages API."));
    if (path.endsWith("/count_tokens")) return sendJson(response, 200, { input_tokens: Math.ceil(body.length / 4) });
    this.#requests = [...this.#requests, parsed].slice(-this.#keptRequests);
    await send(response, parsed, await this.#responder(parsed));
  }

  #authorised(request: IncomingMessage): boolean {
    return request.headers.authorization === `Bearer ${this.#token}` || request.headers["x-api-key"] === this.#token;
  }
}

/** Starts a stub of the Messages API on 127.0.0.1. */
export async function startMessagesStub(options: MessagesStubOptions = {}): Promise<MessagesStub> {
  const stub = new MessagesStub(options);
  await stub.listen(options.port ?? 0);
  return stub;
}

async function send(response: ServerResponse, request: MessagesRequest, answer: Answer): Promise<void> {
  if (answer.type === "error") return sendError(response, answer);
  if (!request.stream) return sendJson(response, 200, answerMessage(request, answer.blocks));
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  try {
    for await (const event of answerEvents(request, answer.blocks, gone.signal)) {
      response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    }
  } catch (error) {
    // A client that goes in mid-answer is no failure.
    if (!gone.signal.aborted) throw error;
  }
  response.end();
}

function sendError(response: ServerResponse, answer: Answer): void {
  if (answer.type !== "error") throw new Error("not an error");
  const { status, kind, message } = answer;
  sendJson(response, status, { type: "error", error: { type: kind, message }, request_id: "req_stub" });
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

/** A body as text, or undefined if it is too large. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes <= maxBodyBytes) chunks.push(chunk);
  }
  return bytes <= maxBodyBytes ? Buffer.concat(chunks).toString("utf8") : undefined;
}
