import type { Clock } from "@berth/base";
import { BerthError, getShare, routeUrl } from "@berth/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { requireOwnOrigin, shareCookie } from "../http/access.ts";
import { plainAddress } from "../http/addresses.ts";
import type { Api } from "../http/api.ts";
import { TooManyAttempts } from "../identity/identity.ts";
import { Throttle } from "../identity/throttle.ts";
import type { OpenedShare, Shares } from "./repository.ts";

/** How long the cookie lasts, in seconds; a page that is open longer opens its share again. */
const cookieSeconds = 12 * 60 * 60;

/** Knows guests by the token of their link: from the body of the first call, and then by a cookie or as a Bearer. */
export class GuestAccess {
  readonly #api: Api;
  readonly #shares: Shares;
  readonly #clock: Clock;
  readonly #throttle: Throttle;

  constructor(api: Api, shares: Shares) {
    this.#api = api;
    this.#shares = shares;
    this.#clock = api.clock;
    this.#throttle = new Throttle(api.clock);
  }

  /** A guest comes with a link's token: sets the cookie. Throws `unauthenticated`, `share_*`, `TooManyAttempts`. */
  async open(token: string, request: FastifyRequest, reply: FastifyReply): Promise<OpenedShare> {
    const share = await this.#find(token, request, reply);
    const leftSeconds = Math.ceil((share.expiresAtMs - this.#clock.now()) / 1000);
    reply.setCookie(shareCookie, token, {
      path: routeUrl(getShare, { params: { id: share.shareId } }),
      httpOnly: true,
      sameSite: "strict",
      secure: this.#api.address.isSecure(request.headers.host),
      maxAge: Math.min(cookieSeconds, leftSeconds),
    });
    return share;
  }

  /**
   * The share that a guest's call is about. Throws `unauthenticated` without a token that is one, `forbidden` for a
   * browser's call from a foreign page, `not_found` for another share than the token's, and what `open` throws.
   */
  async require(shareId: string, request: FastifyRequest, reply: FastifyReply): Promise<OpenedShare> {
    const share = await this.#find(this.#tokenOf(request), request, reply);
    if (share.shareId !== shareId) throw new BerthError("not_found", "Your link is not one to this share.");
    return share;
  }

  /** The Bearer before the cookie, as everywhere; a user's own token opens no share. */
  #tokenOf(request: FastifyRequest): string {
    const header = request.headers.authorization;
    const bearer = header === undefined ? undefined : /^Bearer ([\x21-\x7e]{1,256})$/i.exec(header)?.[1];
    const cookie = header === undefined ? request.cookies[shareCookie] : undefined;
    // Browsers send the cookie by themselves, so the page that opens the socket has to be ours.
    if (cookie !== undefined && request.headers.upgrade !== undefined) requireOwnOrigin(request, this.#api.address);
    const token = bearer ?? cookie;
    if (token === undefined || token.length > 256) throw unknownLink();
    return token;
  }

  async #find(token: string, request: FastifyRequest, reply: FastifyReply): Promise<OpenedShare> {
    const key = `share ${plainAddress(request.ip)}`;
    const waitMs = this.#throttle.waitMs([key]);
    if (waitMs > 0) {
      const refusal = new TooManyAttempts(waitMs);
      reply.header("retry-after", String(refusal.retryAfterSeconds));
      throw refusal;
    }
    const share = await this.#shares.find(token);
    if (share) return share;
    // Right tokens never count, so that many guests behind one address do not keep each other out.
    this.#throttle.begin([key]);
    throw unknownLink();
  }
}

function unknownLink(): BerthError {
  return new BerthError("unauthenticated", "This link is not known: it is wrong, or what it showed is gone.", {
    hint: "Ask for a new one.",
  });
}
