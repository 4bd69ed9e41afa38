import { BerthError, type Client, login, logout, me, setup, setupStatus, type User } from "@berth/protocol";
import { describeError } from "../api/describe-error.ts";
import { Store } from "../api/store.ts";

/** Who is at the console. */
export type SessionState =
  | { readonly phase: "unknown" }
  /** The controller does not answer; asked again until it does. */
  | { readonly phase: "unreachable"; readonly message: string }
  /** No password is set yet, or a set-up link was followed. */
  | { readonly phase: "setup"; readonly token: string | undefined }
  | { readonly phase: "signedOut"; readonly expired: boolean }
  | { readonly phase: "signedIn"; readonly user: User };

/** Milliseconds between two questions to a controller that does not answer. */
const askAgainMs = 2000;

/** The session of this browser with the controller. */
export class Session {
  readonly state = new Store<SessionState>({ phase: "unknown" });
  readonly #api: Client;
  #setupToken: string | undefined;

  constructor(api: Client, setupToken: string | undefined) {
    this.#api = api;
    this.#setupToken = setupToken;
  }

  /** Finds out who is signed in; asks until the controller answers. */
  async begin(): Promise<void> {
    for (;;) {
      try {
        this.state.set(await this.#find());
        return;
      } catch (error) {
        this.state.set({ phase: "unreachable", message: describeError(error).message });
        await new Promise((resolve) => setTimeout(resolve, askAgainMs));
      }
    }
  }

  async signIn(username: string, password: string): Promise<void> {
    const { user } = await this.#api.call(login, { body: { username, password } });
    this.state.set({ phase: "signedIn", user });
  }

  /** Sets the admin's password with the token of the set-up link. */
  async setUp(token: string, password: string): Promise<void> {
    const { user } = await this.#api.call(setup, { body: { token, password } });
    this.#setupToken = undefined;
    this.state.set({ phase: "signedIn", user });
  }

  /** From a set-up link that is of no use any more to signing in. */
  leaveSetup(): void {
    this.#setupToken = undefined;
    this.state.set({ phase: "signedOut", expired: false });
  }

  async signOut(): Promise<void> {
    await this.#api.call(logout, {});
    this.state.set({ phase: "signedOut", expired: false });
  }

  /** Some call was answered 401. */
  expired(): void {
    if (this.state.get().phase === "signedIn") this.state.set({ phase: "signedOut", expired: true });
  }

  async #find(): Promise<SessionState> {
    const { required } = await this.#api.call(setupStatus, {});
    if (required || this.#setupToken !== undefined) return { phase: "setup", token: this.#setupToken };
    try {
      return { phase: "signedIn", user: await this.#api.call(me, {}) };
    } catch (error) {
      if (error instanceof BerthError && error.code === "unauthenticated")
        return { phase: "signedOut", expired: false };
      throw error;
    }
  }
}
