import { type Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { after, type Clock } from "@berth/base";
import type { ProxmoxFailure } from "../failure.ts";
import type { ServerAddress } from "./address.ts";
import type { EncodedCall } from "./parameters.ts";
import { ConnectFailed } from "./verified-socket.ts";

/** How long and how large an exchange may get. */
export interface ExchangeLimits {
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly maxBodyBytes: number;
  /** What the times are measured with. */
  readonly clock: Clock;
}

/** One request, sent once. */
export interface OutgoingCall extends EncodedCall {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/** A whole answer. */
export interface RawAnswer {
  readonly status: number;
  /** The reason phrase, read as UTF-8. */
  readonly reason: string;
  readonly body: Buffer;
}

/** A request that was sent, or may have been, and got no whole answer. */
export class ExchangeFailed extends Error {
  readonly failure: ProxmoxFailure;
  /** The status, when the answer broke off after its head. */
  readonly status: number | undefined;

  constructor(failure: ProxmoxFailure, status?: number, cause?: unknown) {
    super(failure.kind, { cause });
    this.failure = failure;
    this.status = status;
  }
}

/**
 * Sends one request and reads the whole answer. Rejects with ConnectFailed if nothing was sent, with ExchangeFailed if
 * something may have been, and with the signal's reason if aborted.
 */
export function exchange(
  agent: Agent,
  address: ServerAddress,
  call: OutgoingCall,
  limits: ExchangeLimits,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const running = new RunningExchange(address, limits, resolve, reject);
    running.run(agent, call);
  });
}

class RunningExchange {
  readonly #address: ServerAddress;
  readonly #limits: ExchangeLimits;
  readonly #resolve: (answer: RawAnswer) => void;
  readonly #reject: (error: unknown) => void;
  #callOffTimeout = () => {};
  #status: number | undefined;
  #release = () => {};

  constructor(
    address: ServerAddress,
    limits: ExchangeLimits,
    resolve: (answer: RawAnswer) => void,
    reject: (error: unknown) => void,
  ) {
    this.#address = address;
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  run(agent: Agent, call: OutgoingCall): void {
    if (call.signal?.aborted) {
      this.#reject(call.signal.reason);
      return;
    }
    const outgoing = request({
      agent,
      protocol: "https:",
      host: this.#address.host,
      port: this.#address.port,
      method: call.method,
      path: `${this.#address.basePath}${call.target}`,
      headers: { accept: "application/json", ...call.headers, ...bodyHeaders(call) },
    });
    const onAbort = () => this.#end(outgoing, () => this.#reject(call.signal?.reason));
    call.signal?.addEventListener("abort", onAbort, { once: true });
    this.#release = () => call.signal?.removeEventListener("abort", onAbort);
    // The time to connect is bounded by the agent; this clock starts when a connection is at hand.
    outgoing.once("socket", () => this.#limit(outgoing, "headers", this.#limits.headersTimeoutMs));
    outgoing.on("error", (error) => this.#end(outgoing, () => this.#reject(this.#failureOf(error))));
    outgoing.once("response", (incoming) => this.#read(outgoing, incoming));
    outgoing.end(call.body);
  }

  #read(outgoing: ClientRequest, incoming: IncomingMessage): void {
    this.#status = incoming.statusCode ?? 0;
    this.#limit(outgoing, "body", this.#limits.bodyTimeoutMs);
    const chunks: Buffer[] = [];
    let bytes = 0;
    incoming.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= this.#limits.maxBodyBytes) chunks.push(chunk);
      else this.#fail(outgoing, { kind: "protocol", detail: `more than ${this.#limits.maxBodyBytes} bytes` });
    });
    incoming.on("error", (error) => this.#end(outgoing, () => this.#reject(this.#failureOf(error))));
    incoming.once("end", () => {
      const reason = Buffer.from(incoming.statusMessage ?? "", "latin1")
        .toString("utf8")
        .trim();
      const answer = { status: incoming.statusCode ?? 0, reason, body: Buffer.concat(chunks) };
      this.#settle(() => this.#resolve(answer));
    });
  }

  #limit(outgoing: ClientRequest, phase: "headers" | "body", timeoutMs: number): void {
    this.#callOffTimeout();
    this.#callOffTimeout = after(this.#limits.clock, timeoutMs, () =>
      this.#fail(outgoing, { kind: "timeout", phase, timeoutMs }),
    );
  }

  #fail(outgoing: ClientRequest, failure: ProxmoxFailure): void {
    this.#end(outgoing, () => this.#reject(new ExchangeFailed(failure, this.#status)));
  }

  #end(outgoing: ClientRequest, settle: () => void): void {
    this.#settle(settle);
    outgoing.destroy();
  }

  /** A promise settles once, so later errors of the destroyed socket change nothing. */
  #settle(settle: () => void): void {
    this.#callOffTimeout();
    this.#release();
    settle();
  }

  #failureOf(error: Error): Error {
    if (error instanceof ConnectFailed) return error;
    const detail =
      this.#status === undefined
        ? `the connection broke before an answer came (${error.message})`
        : `the connection broke in the middle of the answer (${error.message})`;
    return new ExchangeFailed({ kind: "unreachable", address: this.#address.origin, detail }, this.#status, error);
  }
}

/** PVE refuses chunked requests, so a body always has its length, an empty one too. */
function bodyHeaders(call: OutgoingCall): Record<string, string> {
  if (call.body === undefined) return {};
  return {
    "content-type": "application/x-www-form-urlencoded",
    "content-length": String(call.body.length),
  };
}
