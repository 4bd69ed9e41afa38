import { type Client, type DoctorCheck, type Failure, getDoctor } from "@berth/protocol";
import { describeError } from "../api/describe-error.ts";
import { Store } from "../api/store.ts";

/** What the last look at everything that Berth needs came to. */
export interface Checkup {
  /** Undefined until there was a look. */
  readonly checks: readonly DoctorCheck[] | undefined;
  /** Why the last look failed; null: it did not. */
  readonly failure: Failure | null;
  readonly looking: boolean;
  /** When the last look ended, in milliseconds; undefined: there was none. */
  readonly at: number | undefined;
}

const nothing: Checkup = { checks: undefined, failure: null, looking: false, at: undefined };

/** Has the controller look at everything that Berth needs. A look asks Proxmox many things, so all pages share one. */
export class Doctor {
  readonly state = new Store(nothing);
  readonly #api: Pick<Client, "call">;

  constructor(api: Pick<Client, "call">) {
    this.#api = api;
  }

  /** Looks now, unless a look is under way. Never rejects. */
  async look(): Promise<void> {
    if (this.state.get().looking) return;
    this.state.update((state) => ({ ...state, looking: true }));
    try {
      const { checks } = await this.#api.call(getDoctor, {});
      this.state.set({ checks, failure: null, looking: false, at: Date.now() });
    } catch (error) {
      this.state.update((state) => ({ ...state, failure: describeError(error), looking: false, at: Date.now() }));
    }
  }

  /** Looks if the last look is older than so many milliseconds. Never rejects. */
  async lookIfOlder(maxAgeMs: number): Promise<void> {
    const { at } = this.state.get();
    if (at === undefined || Date.now() - at > maxAgeMs) await this.look();
  }
}
