import type { EntryState } from "./entry-state.ts";
import type { ListingReader } from "./listing.ts";
import type { PlannedChange } from "./plan.ts";
import { isInside, type RawPath } from "./raw-path.ts";

export type ReportedAction = "create" | "update" | "delete" | "stays" | "conflict" | "skipped";

/** What happened, or would happen, to one path. */
export interface ReportedChange {
  readonly path: RawPath;
  readonly action: ReportedAction;
  readonly reason?: string;
  readonly source: EntryState | undefined;
  readonly destination: EntryState | undefined;
}

/** What a sync did, or as a dry run would do. */
export interface SyncReport {
  /** At most a hundred thousand of them; the counts are of all. */
  readonly changes: readonly ReportedChange[];
  readonly counts: Readonly<Record<ReportedAction, number>>;
  /** Of the contents that went, or would go. */
  readonly bytes: number;
  /** The backup that holds what was replaced or deleted; null where nothing was. */
  readonly backup: string | null;
}

const maxChanges = 100_000;

/** Says what a plan does. */
export function reportOf(changes: readonly ReportedChange[], bytes: number, backup: string | null): SyncReport {
  const counts = { create: 0, update: 0, delete: 0, stays: 0, conflict: 0, skipped: 0 };
  for (const { action } of changes) counts[action] += 1;
  return { changes: changes.slice(0, maxChanges), counts, bytes, backup };
}

/** What rsync has left out: nobody is to look for it in vain. */
export function skippedOf({ skipped }: Pick<ListingReader, "skipped">): ReportedChange[] {
  return skipped
    .filter(({ path }) => isInside(path))
    .map(({ path, why }) => ({ path, action: "skipped", reason: why, source: undefined, destination: undefined }));
}

/** What a planned change is called; undefined where nothing is to be said. */
export function reported({ path, decision, source, destination }: PlannedChange): ReportedChange | undefined {
  const facts = { path, source, destination };
  switch (decision.kind) {
    case "go":
      // The permissions of a folder are no news.
      return source?.type === "folder" && destination ? undefined : { ...facts, action: decision.as };
    case "delete":
      return { ...facts, action: "delete" };
    case "stays":
      return { ...facts, action: "stays", reason: decision.why };
    case "conflict":
      return { ...facts, action: "conflict", reason: decision.why };
    case "skip":
      return { ...facts, action: "skipped", reason: decision.why };
    case "agreed":
    case "gone":
      return undefined;
  }
}
