import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "@berth/base";
import { AuthenticationError } from "../http/api-error.ts";
import type { AccessState } from "./access-state.ts";
import { type Caller, callerOf } from "./caller.ts";

const ticketLifetimeMs = 2 * 3600 * 1000;
/** A ticket from this far in the future is still accepted, as PVE does for clocks that differ. */
const ticketSkewMs = 300_000;

/** Tells callers by token or ticket, and gives out tickets. */
export class SignIn {
  readonly #state: AccessState;
  readonly #clock: Clock;

  constructor(state: AccessState, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** The caller of a request; throws the 401 when there is none, or when a write lacks its CSRF token. */
  authenticate(method: string, headers: IncomingHttpHeaders): Caller {
    const authorization = headers.authorization;
    if (authorization?.startsWith("PVEAPIToken")) return this.#byToken(authorization);
    const ticket = cookie(headers.cookie, "PVEAuthCookie");
    if (ticket === undefined) throw new AuthenticationError("No ticket");
    const userid = this.#userOfTicket(ticket);
    if (userid === undefined) throw new AuthenticationError("Authentication failed!");
    if (method !== "GET" && !this.#isCsrfToken(headers.csrfpreventiontoken, userid)) {
      throw new AuthenticationError("Permission denied - invalid csrf token");
    }
    return callerOf(userid);
  }

  /** A new ticket for a password, or for a ticket that is still good; undefined when neither fits. */
  login(userid: string, password: string): { ticket: string; csrfToken: string } | undefined {
    const known = userid === "root@pam" && equalText(password, this.#state.rootPassword);
    if (!known && this.#userOfTicket(password) !== userid) return undefined;
    const now = stamp(this.#clock.now());
    return {
      ticket: `PVE:${userid}:${now}::${this.#sign("ticket", `PVE:${userid}:${now}`)}`,
      csrfToken: `${now}:${this.#sign("csrf", `${now}:${userid}`)}`,
    };
  }

  #byToken(authorization: string): Caller {
    const match = /^PVEAPIToken[= ]([^!\s]+)!([A-Za-z][A-Za-z0-9.\-_]+)[=:]([0-9a-f-]{36})$/.exec(authorization);
    const token = this.#state.tokens.find((one) => one.userid === match?.[1] && one.name === match?.[2]);
    if (!match || !token || !equalText(token.secret, match[3] ?? "")) {
      throw new AuthenticationError("Authentication failed!");
    }
    return callerOf(token.userid, token.name);
  }

  #userOfTicket(ticket: string): string | undefined {
    const match = /^(PVE:([^:]+):([0-9A-F]{8}))::(.+)$/.exec(ticket);
    if (!match) return undefined;
    const [, signed = "", userid = "", time = "", signature = ""] = match;
    const fine = this.#isFresh(time) && equalText(signature, this.#sign("ticket", signed));
    return fine && this.#state.users.includes(userid) ? userid : undefined;
  }

  #isCsrfToken(header: string | string[] | undefined, userid: string): boolean {
    if (typeof header !== "string") return false;
    const [time = "", signature = ""] = header.split(":");
    return this.#isFresh(time) && equalText(signature, this.#sign("csrf", `${time}:${userid}`));
  }

  #isFresh(time: string): boolean {
    const ageMs = this.#clock.now() - Number.parseInt(time, 16) * 1000;
    return ageMs > -ticketSkewMs && ageMs < ticketLifetimeMs;
  }

  #sign(purpose: string, text: string): string {
    const key = Buffer.from(this.#state.ticketKey, "hex");
    return createHmac("sha256", key).update(`${purpose} ${text}`).digest("base64").replace(/=+$/, "");
  }
}

/** Who a call says that it is from, believed or not: `user@realm`, `user@realm!token`, or nothing. */
export function claimedCaller(headers: IncomingHttpHeaders): string {
  const token = /^PVEAPIToken[= ]([^=:]+)/.exec(headers.authorization ?? "")?.[1];
  return token ?? /^PVE:([^:]+):/.exec(cookie(headers.cookie, "PVEAuthCookie") ?? "")?.[1] ?? "";
}

function stamp(nowMs: number): string {
  return Math.floor(nowMs / 1000)
    .toString(16)
    .toUpperCase()
    .padStart(8, "0");
}

function cookie(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? "").split(";")) {
    const [key, ...value] = part.trim().split("=");
    if (key === name) {
      try {
        return decodeURIComponent(value.join("="));
      } catch {
        return undefined;
      }
    }
  }
  return undefined;
}

/** Compares without telling by time how much fits. */
function equalText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
