import { type AgentLink, linkCloseCodes } from "./link.ts";

/** The links of the agents that are connected: at most one a sandbox. */
export class AgentRegistry {
  readonly #links = new Map<string, AgentLink>();
  readonly #waiters = new Map<string, Set<(link: AgentLink) => void>>();

  get size(): number {
    return this.#links.size;
  }

  /** The link to a sandbox's agent, if it is connected now. */
  get(sandboxId: string): AgentLink | undefined {
    const link = this.#links.get(sandboxId);
    return link?.open ? link : undefined;
  }

  /** Takes a link that has been greeted, in place of any older one. */
  put(link: AgentLink): void {
    const older = this.#links.get(link.sandboxId);
    this.#links.set(link.sandboxId, link);
    older?.close(linkCloseCodes.superseded, "another link of this sandbox took over");
    const waiters = this.#waiters.get(link.sandboxId);
    this.#waiters.delete(link.sandboxId);
    for (const resolve of waiters ?? []) resolve(link);
  }

  /** Forgets a link that has closed; answers whether it was the present one. */
  remove(link: AgentLink): boolean {
    if (this.#links.get(link.sandboxId) !== link) return false;
    this.#links.delete(link.sandboxId);
    return true;
  }

  /** Closes the link of a sandbox whose container is not running any more. */
  drop(sandboxId: string): void {
    const link = this.#links.get(sandboxId);
    this.#links.delete(sandboxId);
    link?.close(linkCloseCodes.dropped, "the container was stopped");
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
