import { login, logout, me, setup, setupStatus } from "@berth/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { sessionCookie } from "../http/access.ts";
import { plainAddress } from "../http/addresses.ts";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import { type Identity, TooManyAttempts } from "./identity.ts";
import { keyRoutes } from "./key-routes.ts";
import { sessionSeconds } from "./sessions.ts";
import { tokenRoutes } from "./token-routes.ts";

/** Everything below `/auth`. */
export function identityRoutes(api: Api, identity: Identity): void {
  mount(api, login, async ({ body, request, reply }) => {
    const session = await withRetryAfter(reply, identity.login(body.username, body.password, addressOf(request)));
    setCookie(api, request, reply, session.token);
    return session;
  });

  mount(api, setupStatus, async () => ({ required: await identity.setup.required() }));

  mount(api, setup, async ({ body, request, reply }) => {
    const session = await withRetryAfter(reply, identity.completeSetup(body.token, body.password, addressOf(request)));
    setCookie(api, request, reply, session.token);
    return session;
  });

  mount(api, logout, async ({ caller, reply }) => {
    await identity.logout(caller);
    reply.clearCookie(sessionCookie, { path: "/" });
    return undefined;
  });

  mount(api, me, async ({ caller, request, reply }) => {
    // The session lasts longer with each use, and so does its cookie: the console asks this when it is opened.
    const token = request.cookies[sessionCookie];
    if (caller.by === "cookie" && token !== undefined) setCookie(api, request, reply, token);
    return caller.user;
  });

  tokenRoutes(api, identity);
  keyRoutes(api, identity);
}

function setCookie(api: Api, request: FastifyRequest, reply: FastifyReply, token: string): void {
  reply.setCookie(sessionCookie, token, {
    path: "/",
    httpOnly: true,
    sameSite: "strict",
    secure: api.address.isSecure(request.headers.host),
    maxAge: sessionSeconds,
  });
}

async function withRetryAfter<T>(reply: FastifyReply, attempt: Promise<T>): Promise<T> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof TooManyAttempts) reply.header("retry-after", String(error.retryAfterSeconds));
    throw error;
  }
}

function addressOf(request: FastifyRequest): string {
  return plainAddress(request.ip);
}
