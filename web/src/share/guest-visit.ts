import { BerthError, type Client, getShare, openShare, type SharedTerminal } from "@berth/protocol";
import { describeError } from "../api/describe-error.ts";
import { Store } from "../api/store.ts";

/** What a guest's page knows of its link. */
export type VisitState =
  | { readonly phase: "opening" }
  /** The controller does not answer; it is asked again. */
  | { readonly phase: "unreachable"; readonly reason: string }
  | { readonly phase: "open"; readonly shared: SharedTerminal }
  /** The link shows nothing any more. */
  | { readonly phase: "ended"; readonly why: "expired" | "revoked" | "unknown" };

/** Milliseconds between two looks at what is shared: a sandbox falls asleep, a link is withdrawn. */
const lookEveryMs = 10_000;
const askAgainMs = 2_000;

/** The visit of a guest, from the link's token to its end. */
export class GuestVisit {
  readonly state = new Store<VisitState>({ phase: "opening" });
  readonly #api: Client;
  readonly #token: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #left = false;

  constructor(api: Client, token: string) {
    this.#api = api;
    this.#token = token;
  }

  /** Opens the share, and looks after it until `leave`. */
  begin(): void {
    void this.look();
  }

  leave(): void {
    this.#left = true;
    clearTimeout(this.#timer);
  }

  /** Asks how things are now. Never rejects. */
  async look(): Promise<VisitState> {
    clearTimeout(this.#timer);
    const next = await this.#ask();
    if (this.#left) return next;
    // A controller that is away for a moment takes nothing off the page.
    const known = this.state.get();
    if (next.phase !== "unreachable" || known.phase !== "open") this.state.set(next);
    if (next.phase !== "ended") {
      this.#timer = setTimeout(() => void this.look(), next.phase === "open" ? lookEveryMs : askAgainMs);
    }
    return next;
  }

  async #ask(): Promise<VisitState> {
    const known = this.state.get();
    try {
      if (known.phase === "open") return { phase: "open", shared: await this.#lookAgain(known.shared.shareId) };
      return { phase: "open", shared: await this.#open() };
    } catch (error) {
      const why = endOf(error);
      return why ? { phase: "ended", why } : { phase: "unreachable", reason: describeError(error).message };
    }
  }

  /** The cookie is shorter than a link may be: without it the token opens the share anew. */
  async #lookAgain(id: string): Promise<SharedTerminal> {
    try {
      return await this.#api.call(getShare, { params: { id } });
    } catch (error) {
      if (error instanceof BerthError && error.code === "unauthenticated") return this.#open();
      throw error;
    }
  }

  #open(): Promise<SharedTerminal> {
    return this.#api.call(openShare, { body: { token: this.#token } });
  }
}

function endOf(error: unknown): "expired" | "revoked" | "unknown" | undefined {
  if (!(error instanceof BerthError)) return undefined;
  switch (error.code) {
    case "share_expired":
      return "expired";
    case "share_revoked":
      return "revoked";
    case "unauthenticated":
    case "not_found":
    case "invalid_request":
      return "unknown";
    default:
      return undefined;
  }
}
