import type { Run } from "./order.ts";

/** Makes the destination ready for rsync; what a run has left there that was cut goes to this backup, and is told of. */
export async function prepareDestination({ destination, onNote }: Run, backup: string): Promise<void> {
  const { length } = await destination.prepare(backup);
  if (length > 0) onNote?.(`A sync that was cut left ${length} unfinished files: they are in the backup ${backup}.`);
}
