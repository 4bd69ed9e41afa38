import type { Route, RouteInput, RouteResult } from "@berth/protocol";
import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from "fastify";
import { inTransaction } from "../store/transaction.ts";
import { callerOf } from "./access.ts";
import type { Api } from "./api.ts";
import type { Caller, UnitOfWork } from "./context.ts";
import { answerOnce, hasKey } from "./idempotency.ts";
import { inputValidator } from "./validation.ts";

/** What a handler gets: the validated parts that its route declares, and who calls. */
export type MountedInput<R extends Route> = RouteInput<R> & {
  /** Undefined on a route that is for others, too, than those who have signed in. */
  readonly caller: R["access"] extends "user" ? Caller : undefined;
  readonly request: FastifyRequest;
  /** For headers and cookies; the body and the status are the route's. */
  readonly reply: FastifyReply;
};

/**
 * Serves a route of the protocol. The caller is authenticated before anything else is looked at, then path, query and
 * body are validated by the route's schemas, and the result is written by its result schema: what that does not name
 * does not leave. A handler throws `BerthError` for what it expects.
 */
export function mount<R extends Route>(
  api: Api,
  route: R,
  handler: (input: MountedInput<R>) => Promise<RouteResult<R>>,
): void {
  const validate = inputValidator(route);
  add(api, route, async (request, reply) => {
    const result = await handler(inputOf(route, validate, request, reply));
    return answer(reply, route, result);
  });
}

/**
 * Serves a route whose whole work is one transaction. On an idempotent route the answer to a call with an
 * `Idempotency-Key` is kept in the same transaction, and given again to those that repeat the call. `before` may take long:
 * it is done outside of the transaction, also for a repetition.
 */
export function mountTransactional<R extends Route>(
  api: Api,
  route: R,
  handler: (input: MountedInput<R>, work: UnitOfWork) => Promise<RouteResult<R>>,
  before?: (input: MountedInput<R>) => Promise<unknown>,
): void {
  mountLooked(
    api,
    route,
    async (input) => {
      await before?.(input);
    },
    handler,
  );
}

/**
 * Serves a route that looks at something outside before its transaction, which then gets what was seen. The look is
 * taken for a repetition, too: what it finds wrong is for the handler to say, whom a repetition does not reach.
 */
export function mountLooked<R extends Route, Seen>(
  api: Api,
  route: R,
  look: (input: MountedInput<R>) => Promise<Seen>,
  handler: (input: MountedInput<R>, work: UnitOfWork, seen: Seen) => Promise<RouteResult<R>>,
): void {
  const validate = inputValidator(route);
  add(api, route, async (request, reply) => {
    const input = inputOf(route, validate, request, reply);
    const seen = await look(input);
    const work = (unit: UnitOfWork) => handler(input, unit, seen);
    if (!route.idempotent) return answer(reply, route, await inTransaction(api.db, work));
    const done = await answerOnce(api, route, request, work);
    if (done.replayed) reply.header("idempotency-replayed", "true");
    return answer(reply, route, done.result);
  });
}

/**
 * Serves a route that does something outside of the database, which may take long: only a call with an `Idempotency-Key`
 * holds a transaction meanwhile, the one that keeps the outcome. That has to be JSON; the answer is made of it for every
 * call. `before` is done outside of any transaction, also for a repetition.
 */
export function mountOnce<R extends Route, Outcome>(
  api: Api,
  route: R,
  handler: (input: MountedInput<R>) => Promise<Outcome>,
  conclude: (input: MountedInput<R>, outcome: Outcome) => Promise<RouteResult<R>>,
  before?: (input: MountedInput<R>) => Promise<unknown>,
): void {
  const validate = inputValidator(route);
  add(api, route, async (request, reply) => {
    const input = inputOf(route, validate, request, reply);
    await before?.(input);
    const work = () => handler(input);
    const done = hasKey(request)
      ? await answerOnce(api, route, request, work)
      : { result: await work(), replayed: false };
    if (done.replayed) reply.header("idempotency-replayed", "true");
    return answer(reply, route, await conclude(input, done.result));
  });
}

/** Registers a route's handler with what its schemas say; also used for streams. */
export function add(api: Api, route: Route, handler: RouteHandlerMethod): void {
  api.mounted.push(route);
  api.fastify.route({
    method: route.method,
    url: route.path,
    config: { access: route.access },
    handler,
    ...(route.result ? { schema: { response: { [route.status]: route.result } } } : {}),
  });
}

/** The validated input of a request. Throws `BerthError` `invalid_request`. */
export function inputOf<R extends Route>(
  route: R,
  validate: ReturnType<typeof inputValidator>,
  request: FastifyRequest,
  reply: FastifyReply,
): MountedInput<R> {
  const caller = route.access === "user" ? callerOf(request) : undefined;
  // The validator has checked each part against the schema that this type is derived from.
  return { ...validate(request), caller, request, reply } as unknown as MountedInput<R>;
}

function answer(reply: FastifyReply, route: Route, result: unknown): FastifyReply {
  if (route.mayBeEmpty && result === undefined) return reply.code(204).send();
  reply.code(route.status);
  return route.result ? reply.send(result) : reply.send();
}
