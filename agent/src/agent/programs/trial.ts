import type { Clock } from "@berth/base";

export interface TrialOptions {
  /** Whether all is in order now: linked with the controller, and the terminals are served by this version. */
  isInOrder(): Promise<boolean>;
  /** Whether what is not in order is that the controller is away, which no version can be blamed for. */
  isControllerAway(): Promise<boolean>;
  /** Whether the PTY host of this version has ended too often; of the agent only the launcher can tell. */
  isExhausted(): boolean;
  clock: Clock;
}

const lookMs = 1_000;
const goodLooks = 10;
/** Two minutes. Looks are counted, not time: that of a container which is frozen goes on. */
const maxLooks = 120;
/**
 * So many looks find the controller away before that, too, counts against the version: an hour, or some, since a look in
 * vain takes its time. A version that errs about it must not keep the sandbox from its controller for good.
 */
const maxAwayLooks = 3_600;

/** Looks until a new version has been in order for ten seconds on end (true), has failed (false), or is aborted. */
export async function tryOut(
  { isInOrder, isControllerAway, isExhausted, clock }: TrialOptions,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  let good = 0;
  let away = 0;
  for (let look = 0; look < maxLooks && away < maxAwayLooks && !isExhausted(); ) {
    await clock.sleep(lookMs, signal).catch(() => {});
    if (signal.aborted) return undefined;
    const inOrder = await isInOrder();
    good = inOrder ? good + 1 : 0;
    if (good >= goodLooks) return true;
    if (!inOrder && (await isControllerAway())) away += 1;
    else look += 1;
  }
  return signal.aborted ? undefined : false;
}
