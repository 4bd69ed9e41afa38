/** How waiting times grow between attempts. */
export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds. */
  firstMs: number;
  /** Upper bound of any wait, in milliseconds. */
  maxMs: number;
  /** Growth of the bound from one attempt to the next. */
  factor?: number;
  /** Source of randomness in [0, 1), for tests. */
  random?: () => number;
}

/**
 * The wait before attempt number `attempt` (0 is the first repetition), in milliseconds: half of the bound, plus up to
 * half of it at random, so that many that failed together do not return together.
 */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const bound = Math.min(options.maxMs, options.firstMs * (options.factor ?? 2) ** attempt);
  return Math.round(bound / 2 + (bound / 2) * (options.random ?? Math.random)());
}
