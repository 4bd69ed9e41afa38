import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";

/** How long the body of a call may take, in milliseconds, unless the call gives it more. */
const bodyMs = 60_000;

const deadlines = new WeakMap<IncomingMessage, ReturnType<typeof setTimeout>>();

/** Cuts off whoever sends a body too slowly. Node's own bound is one for all, and must leave time for uploads. */
export function boundBodies(server: FastifyInstance): void {
  server.addHook("onRequest", async ({ raw }) => {
    const { "transfer-encoding": encoding, "content-length": length } = raw.headers;
    if (encoding !== undefined || Number(length ?? 0) > 0) boundBody(raw, bodyMs);
  });
}

/** Destroys the connection unless the rest of the body has come within so many milliseconds from now. */
export function boundBody(request: IncomingMessage, ms: number): void {
  unboundBody(request);
  if (request.complete) return;
  deadlines.set(
    request,
    setTimeout(() => request.socket.destroy(), ms),
  );
  for (const event of ["end", "close"] as const) request.once(event, () => unboundBody(request));
}

/** Leaves a body all the time that the server has for a request. */
export function unboundBody(request: IncomingMessage): void {
  clearTimeout(deadlines.get(request));
}
