import type { Clock } from "@berth/base";

export interface TrialOptions {
  /** Whether all is in order now: linked with the controller, and the terminals are served by this version. */
  isInOrder(): Promise<boolean>;
  /** Whether the PTY host of this version has ended too often; of the agent only the launcher can tell. */
  isExhausted(): boolean;
  clock: Clock;
}

const lookMs = 1_000;
const goodLooks = 10;
/** Two minutes. Looks are counted, not time: that of a container which is frozen goes on. */
const maxLooks = 120;

/** Looks until a new version has been in order for ten seconds on end (true), has failed (false), or is aborted. */
export async function tryOut(
  { isInOrder, isExhausted, clock }: TrialOptions,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  let good = 0;
  for (let look = 0; look < maxLooks && !isExhausted(); look += 1) {
    await clock.sleep(lookMs, signal).catch(() => {});
    if (signal.aborted) return undefined;
    good = (await isInOrder()) ? good + 1 : 0;
    if (good >= goodLooks) return true;
  }
  return signal.aborted ? undefined : false;
}
