import { once } from "node:events";
import { BerthError, type Route } from "@berth/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Api } from "../http/api.ts";
import { add, inputOf, type MountedInput } from "../http/mount.ts";
import { inputValidator } from "../http/validation.ts";
import type { StoredEvent } from "./log.ts";

/** One server-sent event. */
export interface ServerEvent {
  /** Comes back as `Last-Event-ID`. */
  readonly id?: number;
  readonly event: string;
  /** JSON. */
  readonly data: unknown;
}

const limits = {
  heartbeatMs: 15_000,
  /** What browsers wait before they come back. */
  retryMs: 2_000,
} as const;

export type EventsInput<R extends Route> = MountedInput<R> & {
  /** Where a client goes on: the id of the last event that it got. */
  readonly lastEventId: number | undefined;
  /** Aborts when the client has gone or the server closes. */
  readonly signal: AbortSignal;
};

/**
 * Serves a route that is a stream of server-sent events. `open` may refuse with a `BerthError`, which is a plain HTTP
 * answer; from then on the stream is told until it ends or the client goes.
 */
export function mountEvents<R extends Route>(
  api: Api,
  route: R,
  open: (input: EventsInput<R>) => Promise<AsyncIterable<ServerEvent>>,
): void {
  const validate = inputValidator(route);
  add(api, route, async (request, reply) => {
    const lastEventId = lastEventIdOf(request);
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, api.closing]);
    const events = await open({ ...inputOf(route, validate, request, reply), lastEventId, signal });
    await sendEvents(reply, events, signal);
    return reply;
  });
}

/** Writes events as they come, no faster than the client reads, with a comment now and then to keep proxies awake. */
export async function sendEvents(
  reply: FastifyReply,
  events: AsyncIterable<ServerEvent>,
  signal: AbortSignal,
): Promise<void> {
  const { raw } = reply;
  reply.hijack();
  reply.headers({
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    // nginx would hold events back otherwise.
    "x-accel-buffering": "no",
  });
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200);
  raw.write(`retry: ${limits.retryMs}\n\n`);
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(":\n\n");
  }, limits.heartbeatMs);
  try {
    for await (const event of events) {
      if (signal.aborted) break;
      if (!raw.write(encodeEvent(event))) await once(raw, "drain", { signal });
    }
  } catch (error) {
    // The status has been sent: a cut stream is all that can be said, and the client comes back by itself.
    if (!signal.aborted) reply.log.error({ err: error }, "an event stream failed");
  } finally {
    clearInterval(heartbeat);
    raw.end();
  }
}

/** The wire form of an event. JSON has no raw line breaks, so its data is one line. */
export function encodeEvent(event: ServerEvent): string {
  const id = event.id === undefined ? "" : `id: ${event.id}\n`;
  return `${id}event: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
}

/** Stored events as server-sent ones. With `last`, the stream ends after the first event of that name. */
export async function* asServerEvents(events: AsyncIterable<StoredEvent>, last?: string): AsyncGenerator<ServerEvent> {
  for await (const { seq, type, data } of events) {
    yield { id: seq, event: type, data };
    if (type === last) return;
  }
}

function lastEventIdOf(request: FastifyRequest): number | undefined {
  const header = request.headers["last-event-id"];
  if (header === undefined || header === "") return undefined;
  if (typeof header === "string" && /^\d{1,15}$/.test(header)) return Number(header);
  throw new BerthError("invalid_request", "Last-Event-ID is not the id of an event.");
}
