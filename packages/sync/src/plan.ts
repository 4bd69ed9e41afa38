import { type Decision, decide, type Known } from "./decide.ts";
import type { EntryState } from "./entry-state.ts";
import type { ListingReader } from "./listing.ts";
import type { Memory } from "./memory.ts";
import { isInside, type RawPath } from "./raw-path.ts";
import type { SyncDirection } from "./rsync.ts";
import type { Side } from "./side.ts";

/** A path whose two sides differ, and what is to be done about it. */
export interface PlannedChange {
  readonly path: RawPath;
  readonly decision: Decision;
  readonly source: EntryState | undefined;
  readonly destination: EntryState | undefined;
  readonly known: Known | undefined;
}

/** How conflicts were decided: the source's version counts, or both are kept. */
export type Resolution = "source" | "both";

export interface PlanningOptions {
  readonly direction: SyncDirection;
  readonly deletes: boolean;
  /** Only these paths are looked at, and conflicts of theirs are decided so. */
  readonly resolutions: ReadonlyMap<RawPath, Resolution> | undefined;
  /** Whether repositories are taken along: what is remembered of them is not gone, just left out. */
  readonly git: boolean;
}

/**
 * Looks at both sides of every path that rsync finds different, and of those that were there at the last sync and are
 * not listed any more, and decides. Changes nothing but what is remembered of paths that agree.
 */
export async function makePlan(
  listing: ListingReader,
  memory: Memory,
  sides: { source: Side; destination: Side },
  options: PlanningOptions,
): Promise<PlannedChange[]> {
  const paths = candidates(listing, memory, options);
  const [sources, destinations] = await Promise.all([sides.source.stat(paths), sides.destination.stat(paths)]);
  const changes = paths.map((path): PlannedChange => {
    const [known, source, destination] = [memory.get(path), sources.get(path), destinations.get(path)];
    const decision = decide({ known, source, destination, ...options });
    return { path, decision, source, destination, known };
  });
  return resolve(await withoutEqualContents(changes, sides), options);
}

function candidates(listing: ListingReader, memory: Memory, { resolutions, git }: PlanningOptions): RawPath[] {
  if (resolutions) return [...resolutions.keys()].filter(isInside);
  const differing = listing.differing.map(({ path }) => path).filter(isInside);
  const listed = new Set<RawPath>(differing);
  for (const { path } of listing.equal()) listed.add(path);
  const unlisted = [...memory.paths()].filter((path) => !listed.has(path) && (git || !isGits(path)));
  return [...new Set(differing), ...unlisted];
}

function isGits(path: RawPath): boolean {
  return path.split("/").includes(".git");
}

/** What differs in nothing but its time is no conflict. */
async function withoutEqualContents(
  changes: readonly PlannedChange[],
  { source, destination }: { source: Side; destination: Side },
): Promise<PlannedChange[]> {
  const doubtful = changes.filter(
    (change) =>
      change.decision.kind === "conflict" &&
      change.source?.type === "file" &&
      change.destination?.type === "file" &&
      change.source.bytes === change.destination.bytes,
  );
  if (doubtful.length === 0) return [...changes];
  const paths = doubtful.map(({ path }) => path);
  const [ones, others] = await Promise.all([source.hash(paths), destination.hash(paths)]);
  const equal = new Set(paths.filter((path) => ones.get(path) !== undefined && ones.get(path) === others.get(path)));
  return changes.map((change) =>
    equal.has(change.path) ? { ...change, decision: { kind: "go", as: "update" } } : change,
  );
}

/** Turns conflicts that were decided into work. */
function resolve(changes: readonly PlannedChange[], { resolutions }: PlanningOptions): PlannedChange[] {
  if (!resolutions) return [...changes];
  return changes.map((change) => {
    const open = change.decision.kind === "conflict" || change.decision.kind === "stays";
    if (!open || !resolutions.has(change.path)) return change;
    const { source, destination } = change;
    if (!source) return destination?.type === "folder" ? change : { ...change, decision: { kind: "delete" } };
    return { ...change, decision: { kind: "go", as: destination ? "update" : "create" } };
  });
}
