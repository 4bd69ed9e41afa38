import { BerthError, type Route } from "@berth/protocol";
import type {} from "@fastify/cookie";
import type { FastifyRequest } from "fastify";
import type { OwnAddress } from "./addresses.ts";
import type { Caller } from "./context.ts";

/** The cookie that signs the console in. */
export const sessionCookie = "berth_session";

/** The cookie of a guest's page. It goes to the calls of that one share only. */
export const shareCookie = "berth_share";

/** Knows whose a token is; undefined: nobody's, or expired. */
export type Authenticate = (token: string) => Promise<Pick<Caller, "user" | "tokenId"> | undefined>;

declare module "fastify" {
  interface FastifyRequest {
    /** Set by the access check; null before it, and on public routes. */
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    /** Unset means `user`: what nobody declared, 404s included, is not public. */
    access?: Route["access"];
  }
}

/** Who calls, on a route that only those signed in reach. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new BerthError("unauthenticated", "Sign in, or send an API token as a Bearer token.");
  return request.caller;
}

/** Throws `forbidden` for everybody but admins. */
export function requireAdmin({ user }: { readonly user: { readonly role: string } }): void {
  if (user.role !== "admin") throw new BerthError("forbidden", "This is for admins.");
}

/**
 * Decides whether a request may go on, from its headers alone: no body was read, no path looked up. A bearer token
 * comes before the cookie, and a wrong one is refused even beside a good cookie.
 */
export async function checkAccess(
  request: FastifyRequest,
  authenticate: Authenticate,
  address: OwnAddress,
): Promise<void> {
  const access = request.routeOptions.config?.access;
  // Guests are known by what their share's own routes look at; who shows nothing at all is none.
  if (access === "guest" && request.headers.authorization === undefined && !hasShareCookie(request)) {
    throw new BerthError("unauthenticated", "Open the link that was shared with you first.");
  }
  if (access === "public" || access === "guest") {
    // A form on a foreign page must not sign anybody in. Programs send no Origin.
    if (isUnsafe(request) && request.headers.origin !== undefined) requireOwnOrigin(request, address);
    return;
  }
  request.caller = (await identify(request, authenticate)) ?? null;
  const caller = callerOf(request);
  // Browsers send the cookie by themselves, so the page that makes the call has to be ours.
  if (caller.by === "cookie" && (isUnsafe(request) || isUpgrade(request))) requireOwnOrigin(request, address);
}

/** Who calls, if anybody known does. */
export async function identify(request: FastifyRequest, authenticate: Authenticate): Promise<Caller | undefined> {
  const header = request.headers.authorization;
  if (header !== undefined) {
    const token = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(header)?.[1];
    const known = token ? await authenticate(token) : undefined;
    return known && { ...known, by: "bearer" };
  }
  // Parsed here and not by the cookie plugin's hook, which does not run for requests that match no route.
  const cookie = request.server.parseCookie(request.headers.cookie ?? "")[sessionCookie];
  const known = cookie && cookie.length <= 256 ? await authenticate(cookie) : undefined;
  return known && { ...known, by: "cookie" };
}

function hasShareCookie(request: FastifyRequest): boolean {
  return request.server.parseCookie(request.headers.cookie ?? "")[shareCookie] !== undefined;
}

/** Throws `forbidden` unless the call comes from a page of the console's own. */
export function requireOwnOrigin(request: FastifyRequest, address: OwnAddress): void {
  if (!address.isOwnOrigin(request.headers.origin, request.headers.host)) {
    throw new BerthError("forbidden", "The call does not come from the console's own pages.", {
      hint: "Programs sign in with an API token as a Bearer token; behind a proxy, set BERTH_PUBLIC_URL.",
    });
  }
}

function isUnsafe(request: FastifyRequest): boolean {
  return !["GET", "HEAD", "OPTIONS"].includes(request.method);
}

function isUpgrade(request: FastifyRequest): boolean {
  return request.headers.upgrade !== undefined;
}
