import { setTimeout as wait } from "node:timers/promises";

/** How long and how often to look. */
export interface EventuallyOptions {
  /** Bound in milliseconds; 10 s by default: against what never happens, on a busy machine too. */
  timeoutMs?: number;
  /** Pause between two looks, in milliseconds; 20 by default. */
  intervalMs?: number;
  /** What is waited for, for the error. */
  what?: string;
}

/**
 * Repeats a check until it answers something true-ish, and answers that. When the time is over, throws with what the
 * check last threw or answered.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    let last: T | undefined;
    try {
      last = await check();
      if (isPresent(last)) return last;
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= deadline) {
      const reason = failure instanceof Error ? failure.message : `last answer: ${String(last)}`;
      throw new Error(`${options.what ?? "the expected"} did not happen within ${timeoutMs} ms: ${reason}`, {
        cause: failure,
      });
    }
    await wait(options.intervalMs ?? 20);
  }
}

function isPresent<T>(value: T): value is Exclude<T, undefined | null | false> {
  return value !== undefined && value !== null && value !== false;
}
