import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** For answers that are data: nothing may run, frame or keep them. */
export function addApiHeaders(scope: FastifyInstance): void {
  scope.addHook("onRequest", async (_, reply) => {
    reply.header("x-content-type-options", "nosniff");
    reply.header("cache-control", "no-store");
    reply.header("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
  });
}

/**
 * For the console's pages. Styles are inline because xterm.js measures and colours cells through style elements of its
 * own; scripts never are. WebSockets are named besides `'self'`, which older Safari does not apply to them.
 */
export function addPageHeaders(request: FastifyRequest, reply: FastifyReply): void {
  const host = request.headers.host ?? "localhost";
  reply.headers({
    "content-security-policy": [
      "default-src 'self'",
      "script-src 'self' 'wasm-unsafe-eval'",
      "style-src 'self' 'unsafe-inline'",
      "img-src 'self' data: blob:",
      "font-src 'self' data:",
      `connect-src 'self' ws://${host} wss://${host}`,
      "worker-src 'self' blob:",
      "object-src 'none'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ].join("; "),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
  });
}
