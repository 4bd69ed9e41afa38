import type { Clock } from "@berth/base";
import type { AgentActivity, Use, UseKind } from "@berth/protocol";
import type { Activity } from "./decide.ts";

interface Known {
  /** What its agent said last; undefined: nothing since it came. */
  told: (AgentActivity & { readonly at: number }) | undefined;
  /** When this controller last did something in it for somebody, in milliseconds. */
  touchedAt: number;
  /** What this controller is doing there, by the kind of use. */
  readonly held: Map<UseKind, number>;
}

/**
 * How sandboxes are used: by the word of their agents, each of which speaks for its own alone, and by what goes through
 * this controller. Kept nowhere: an agent tells anew when it comes back. Bounded by the sandboxes that there are.
 */
export class Activities {
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Its agent says how it is used. */
  tell(sandboxId: string, activity: AgentActivity): void {
    this.#of(sandboxId).told = { ...activity, at: this.#clock.now() };
  }

  /** Its agent is gone: what it said does not hold any more. */
  departed(sandboxId: string): void {
    const known = this.#known.get(sandboxId);
    if (!known) return;
    known.told = undefined;
    if (known.held.size === 0) this.#known.delete(sandboxId);
  }

  /** Somebody uses it by this controller. To be said before it is looked at whether it is to sleep. */
  touch(sandboxId: string): void {
    this.#of(sandboxId).touchedAt = this.#clock.now();
  }

  /** The same for what lasts: until the answer is called, once or more. */
  hold(sandboxId: string, kind: UseKind): () => void {
    const { held } = this.#of(sandboxId);
    held.set(kind, (held.get(kind) ?? 0) + 1);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const left = (held.get(kind) ?? 1) - 1;
      if (left > 0) held.set(kind, left);
      else held.delete(kind);
      this.touch(sandboxId);
    };
  }

  /** How a sandbox is used; undefined where its agent has not said, so that nothing is known. */
  of(sandboxId: string): Activity | undefined {
    const known = this.#known.get(sandboxId);
    if (!known?.told) return undefined;
    const { told, held, touchedAt } = known;
    const own: Use[] = [...held.keys()].map((kind) => ({ kind }));
    const theirs = told.uses.filter(({ kind }) => !held.has(kind));
    return { uses: [...own, ...theirs], idleSince: Math.max(told.at - told.idleMs, touchedAt) };
  }

  #of(sandboxId: string): Known {
    const known = this.#known.get(sandboxId) ?? { told: undefined, touchedAt: 0, held: new Map() };
    this.#known.set(sandboxId, known);
    return known;
  }
}
