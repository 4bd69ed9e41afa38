import { type Clock, systemClock } from "@berth/base";
import { type AgentLink, linkCloseCodes } from "./link.ts";

/** The links of the agents that are connected: at most one a sandbox. */
export class AgentRegistry {
  readonly #clock: Clock;
  /** Since when links may come at all. */
  #openSince: number;
  /** When the link of a sandbox was lost, in milliseconds; of those that had one. */
  readonly #lostAt = new Map<string, number>();
  readonly #links = new Map<string, AgentLink>();
  readonly #waiters = new Map<string, Set<(link: AgentLink) => void>>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#openSince = clock.now();
  }

  /** Links may come from now on: what was before does not count as an agent's absence. */
  open(): void {
    this.#openSince = this.#clock.now();
  }

  get size(): number {
    return this.#links.size;
  }

  /** The link to a sandbox's agent, if it is connected now. */
  get(sandboxId: string): AgentLink | undefined {
    const link = this.#links.get(sandboxId);
    return link?.open ? link : undefined;
  }

  /** Whether a sandbox's agent is connected now. */
  isConnected(sandboxId: string): boolean {
    return this.get(sandboxId) !== undefined;
  }

  /** Since when a sandbox that is not connected could have a link and has none, in milliseconds. */
  awaySince(sandboxId: string): number {
    return this.#lostAt.get(sandboxId) ?? this.#openSince;
  }

  /** Takes a link that has been greeted, in place of any older one. */
  put(link: AgentLink): void {
    const older = this.#links.get(link.sandboxId);
    this.#links.set(link.sandboxId, link);
    this.#lostAt.delete(link.sandboxId);
    older?.close(linkCloseCodes.superseded, "another link of this sandbox took over");
    const waiters = this.#waiters.get(link.sandboxId);
    this.#waiters.delete(link.sandboxId);
    for (const resolve of waiters ?? []) resolve(link);
  }

  /** Forgets a link that has closed; answers whether it was the present one. */
  remove(link: AgentLink): boolean {
    if (this.#links.get(link.sandboxId) !== link) return false;
    this.#links.delete(link.sandboxId);
    this.#lostAt.set(link.sandboxId, this.#clock.now());
    return true;
  }

  /** Closes the link of a sandbox whose container is not running any more. */
  drop(sandboxId: string): void {
    const link = this.#links.get(sandboxId);
    this.#links.delete(sandboxId);
    this.#lostAt.set(sandboxId, this.#clock.now());
    link?.close(linkCloseCodes.dropped, "the container was stopped");
  }

  /** Keeps nothing of a sandbox that is no more. */
  forget(sandboxId: string): void {
    this.drop(sandboxId);
    this.#lostAt.delete(sandboxId);
  }

  /** The link to a sandbox's agent, waited for so long; undefined if it does not come. */
  waitFor(sandboxId: string, timeoutMs: number, signal?: AbortSignal): Promise<AgentLink | undefined> {
    const link = this.get(sandboxId);
    if (link) return Promise.resolve(link);
    return new Promise((resolve) => {
      const settle = (result: AgentLink | undefined) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        const waiting = this.#waiters.get(sandboxId);
        waiting?.delete(settle);
        if (waiting?.size === 0) this.#waiters.delete(sandboxId);
        resolve(result);
      };
      const onAbort = () => settle(undefined);
      const timer = setTimeout(() => settle(undefined), timeoutMs);
      signal?.addEventListener("abort", onAbort, { once: true });
      const waiting = this.#waiters.get(sandboxId) ?? new Set();
      waiting.add(settle);
      this.#waiters.set(sandboxId, waiting);
    });
  }

  /** Closes every link, when the controller stops: the agents dial again. */
  closeAll(): void {
    for (const link of this.#links.values()) link.close(1012, "the controller restarts");
    this.#links.clear();
  }
}
