import { BerthError, type Route, type RouteResult } from "@berth/protocol";
import type { FastifyRequest } from "fastify";
import type { Api } from "./api.ts";
import { boundBody, unboundBody } from "./body-deadline.ts";
import { answerUploadOnce } from "./idempotency.ts";
import { add, inputOf, type MountedInput } from "./mount.ts";
import { inputValidator } from "./validation.ts";

/** A route whose body is a file. */
export type UploadRoute = Route & { readonly upload: { readonly maxBytes: number } };

const times = {
  /** A sender that is silent for so long has gone. */
  silenceMs: 30_000,
  /** So long the rest of a refused body is taken and thrown away, since many clients read no answer before its end. */
  refusedMs: 10_000,
} as const;

/**
 * Serves a route that takes a file as its body, of any content type. The handler reads it as fast as it can use it, so
 * that no more of it is in memory than what is under way; what it throws is the answer. A body of more bytes than the
 * route takes is `payload_too_large`. On an idempotent route, a repetition of a call with an `Idempotency-Key` gets the
 * first one's answer.
 */
export function mountUpload<R extends UploadRoute>(
  api: Api,
  route: R,
  handler: (input: MountedInput<R>, file: AsyncIterable<Uint8Array>) => Promise<RouteResult<R>>,
): void {
  const validate = inputValidator(route);
  void api.fastify.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // The body stays in the request; what reads it is the handler.
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null, undefined));
    add({ ...api, fastify: scope }, route, async (request, reply) => {
      try {
        const input = inputOf(route, validate, request, reply);
        checkLength(request, route.upload.maxBytes);
        unboundBody(request.raw);
        const file = bytesOf(request, route.upload.maxBytes);
        if (!route.idempotent) return reply.code(route.status).send(await handler(input, file));
        const done = await answerUploadOnce(api, route, request, file, (body) => handler(input, body));
        if (done.replayed) reply.header("idempotency-replayed", "true");
        return reply.code(route.status).send(done.result);
      } catch (error) {
        boundBody(request.raw, times.refusedMs);
        request.raw.resume();
        throw error;
      }
    });
  });
}

/** The body's bytes. Throws `BerthError` when it is too long, or does not come to its end. */
async function* bytesOf({ raw }: FastifyRequest, maxBytes: number): AsyncGenerator<Uint8Array> {
  // To destroy the request, as an iterator does by itself, would take the way of the answer.
  const chunks: AsyncIterator<unknown> = raw.iterator({ destroyOnReturn: false });
  let waits = false;
  try {
    for (let bytes = 0; ; ) {
      waits = true;
      const { value: chunk, done } = await soon(chunks.next());
      waits = false;
      if (done) return;
      if (!(chunk instanceof Uint8Array)) throw new Error("a request's body is not bytes");
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  } finally {
    // Lets the rest be thrown away; where a chunk is still waited for, this would wait, too.
    if (!waits) await chunks.return?.();
  }
}

function checkLength({ headers }: FastifyRequest, maxBytes: number): void {
  if (Number(headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

function tooLarge(maxBytes: number): BerthError {
  return new BerthError("payload_too_large", `The file is larger than ${Math.floor(maxBytes / 1024 / 1024)} MiB.`, {
    hint: "Bring larger files into the sandbox over SSH, or have them downloaded there.",
  });
}

async function soon<T>(next: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    const error = new BerthError("invalid_request", `No byte of the file came for ${times.silenceMs / 1000} seconds.`);
    timer = setTimeout(() => reject(error), times.silenceMs);
  });
  try {
    return await Promise.race([next, silence]);
  } catch (error) {
    if (error instanceof BerthError) throw error;
    throw new BerthError("invalid_request", "The upload was cut off.", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
