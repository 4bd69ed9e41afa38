import { type Client, type Failure, type RouteResult, searchFiles } from "@berth/protocol";
import { describeError } from "../api/describe-error.ts";
import { Store } from "../api/store.ts";

export interface SearchWish {
  readonly q: string;
  readonly in: "name" | "content";
}

export interface SearchState {
  readonly wish: SearchWish;
  readonly searching: boolean;
  /** Of the last search that has ended; undefined before any. */
  readonly found: RouteResult<typeof searchFiles> | undefined;
  readonly failure: Failure | null;
}

/** How long nothing is typed until it is looked for, in milliseconds. */
const pauseMs = 250;
const maxResults = 300;

/** A search in a workspace, as it is typed. */
export class Search {
  readonly state = new Store<SearchState>({
    wish: { q: "", in: "name" },
    searching: false,
    found: undefined,
    failure: null,
  });
  readonly #find: (wish: SearchWish, signal: AbortSignal) => Promise<RouteResult<typeof searchFiles>>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort: AbortController | undefined;

  constructor(find: (wish: SearchWish, signal: AbortSignal) => Promise<RouteResult<typeof searchFiles>>) {
    this.#find = find;
  }

  /** Looks for it, once nothing more is typed. An empty query ends the search. */
  ask(wish: SearchWish): void {
    this.stop();
    if (wish.q === "") {
      this.state.set({ wish, searching: false, found: undefined, failure: null });
      return;
    }
    this.state.update((state) => ({ ...state, wish, searching: true, failure: null }));
    this.#timer = setTimeout(() => void this.#run(wish), pauseMs);
  }

  /** Stops what is under way. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = undefined;
  }

  async #run(wish: SearchWish): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const found = await this.#find(wish, abort.signal);
      if (!abort.signal.aborted) this.state.set({ wish, searching: false, found, failure: null });
    } catch (error) {
      if (abort.signal.aborted) return;
      this.state.set({ wish, searching: false, found: undefined, failure: describeError(error) });
    }
  }
}

/** The search of a sandbox by the controller's API. */
export function searchOf(api: Client, sandboxId: string): Search {
  return new Search((wish, signal) => {
    const query = { ...wish, limit: maxResults };
    return api.call(searchFiles, { params: { id: sandboxId }, query }, { signal });
  });
}
