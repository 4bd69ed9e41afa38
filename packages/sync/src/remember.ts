import { isSame } from "./entry-state.ts";
import type { ListingReader } from "./listing.ts";
import type { Memory } from "./memory.ts";
import type { Run } from "./order.ts";
import type { PlannedChange } from "./plan.ts";
import { isInside, type RawPath } from "./raw-path.ts";

/**
 * Writes down what both sides agree on after a run. Only what is seen counts: of everything that was to go, both sides
 * are looked at once more, and what arrived there as it is, or was, at the source is agreed.
 */
export async function remember(
  run: Run,
  listing: ListingReader,
  plan: readonly PlannedChange[],
  memory: Memory,
): Promise<void> {
  const goes = plan.filter(({ decision }) => decision.kind === "go");
  const paths = goes.map(({ path }) => path);
  const [sources, destinations] = await Promise.all([run.source.stat(paths), run.destination.stat(paths)]);
  for (const { path, source } of goes) {
    const arrived = destinations.get(path);
    // Of what did not arrive the intent stays written down: it may have, and been changed there at once.
    if (arrived && (isSame(arrived, source) || isSame(arrived, sources.get(path))))
      memory.set(path, { agreed: arrived });
  }
  await rememberEqual(run, listing, memory);
  for (const { path, decision, source } of plan) {
    if (decision.kind === "gone" || decision.kind === "delete") memory.delete(path);
    else if (decision.kind === "agreed" && source) memory.set(path, { agreed: source });
  }
  await settle(run, listing, plan, memory);
  memory.unfinished.delete(run.direction);
  await memory.save();
}

/** What rsync found equal and nothing was known of. Both sides are the same, so the host's is looked at. */
async function rememberEqual(run: Run, listing: ListingReader, memory: Memory): Promise<void> {
  const unknown: RawPath[] = [];
  for (const { path } of listing.equal()) {
    const known = memory.get(path);
    if (isInside(path) && (!known || known.maybe)) unknown.push(path);
  }
  for (const [path, agreed] of await run.host.stat(unknown)) memory.set(path, { agreed });
}

/** Where nothing is left open, the next run that lists the same need not look any further. */
async function settle(run: Run, listing: ListingReader, plan: readonly PlannedChange[], memory: Memory): Promise<void> {
  const open = plan.some(({ path, decision }) => {
    if (decision.kind === "go") return memory.get(path)?.agreed === undefined;
    return decision.kind !== "agreed" && decision.kind !== "gone" && decision.kind !== "delete";
  });
  memory.settled = open || run.resolutions ? undefined : { ...listing.digest, direction: run.direction };
}
