/** A sandbox of the warm pool, as far as the plan must know it. */
export interface PoolMember {
  readonly id: string;
  /** `making`: not ready yet, or not any more. */
  readonly state: "ready" | "making" | "failed";
  /** It is to be destroyed. */
  readonly leaving: boolean;
  /** It is a clone of another template than sandboxes are cloned from now. */
  readonly outdated: boolean;
}

export interface PoolSituation {
  /** How many there are to be. */
  readonly size: number;
  readonly members: readonly PoolMember[];
  /** Somebody waits for a sandbox of their own. */
  readonly othersWait: boolean;
  /** Nothing failed lately. */
  readonly mayTry: boolean;
}

/** What is to be done with the pool next. */
export type PoolPlan = { kind: "remove"; ids: readonly string[] } | { kind: "make" } | { kind: "rest" };

/**
 * The next thing to do for the pool. Pure. What is of no use goes first; then one member is made at a time, and only
 * while nobody waits for a sandbox of their own.
 */
export function planPool({ size, members, othersWait, mayTry }: PoolSituation): PoolPlan {
  const staying = members.filter(({ leaving }) => !leaving);
  const useless = staying.filter(({ state, outdated }) => state === "failed" || outdated);
  const useful = staying.filter((member) => !useless.includes(member));
  const surplus = useful.toSorted(byUse).slice(size);
  // A removal that failed is asked for again, too, but not at once.
  const stuck = mayTry ? members.filter(({ leaving, state }) => leaving && state === "failed") : [];
  const ids = [...useless, ...surplus, ...stuck].map(({ id }) => id);
  if (ids.length > 0) return { kind: "remove", ids };
  const busy = members.some(({ state, leaving }) => state === "making" || leaving);
  return useful.length < size && !busy && !othersWait && mayTry ? { kind: "make" } : { kind: "rest" };
}

/** Those that are ready come first, so that of too many the others go. */
function byUse(a: PoolMember, b: PoolMember): number {
  return Number(b.state === "ready") - Number(a.state === "ready");
}
