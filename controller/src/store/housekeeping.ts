import type { Clock } from "@berth/base";

/** Something that grows and has to be cut back; answers how many rows went. */
export type Chore = () => Promise<number>;

/** How often chores are done: what they remove is days old. */
const everyMs = 60 * 60_000;

/**
 * Does chores one after the other, now and every hour, until the signal aborts. One that fails is told of and does not
 * keep the others from being done. Only the active controller needs to.
 */
export async function keepHouse(
  chores: Readonly<Record<string, Chore>>,
  clock: Clock,
  signal: AbortSignal,
  tell: { removed(chore: string, rows: number): void; failed(chore: string, error: unknown): void },
): Promise<void> {
  while (!signal.aborted) {
    for (const [name, chore] of Object.entries(chores)) {
      try {
        const rows = await chore();
        if (rows > 0) tell.removed(name, rows);
      } catch (error) {
        tell.failed(name, error);
      }
    }
    await clock.sleep(everyMs, signal).catch(() => {});
  }
}
