import { type EntryState, isSame } from "./entry-state.ts";
import type { SyncDirection } from "./rsync.ts";

/** What is remembered of a path from earlier syncs. */
export interface Known {
  /** What both sides had; absent: nothing was there, or it is not known. */
  readonly agreed?: EntryState;
  readonly maybe?: Possibility;
}

/** What a sync that was cut may have put at its destination; its source had it in any case. */
export interface Possibility {
  readonly state: EntryState;
  readonly direction: SyncDirection;
}

/** What is to be done about a path whose two sides differ. */
export type Decision =
  | { readonly kind: "go"; readonly as: "create" | "update" }
  /** Gone at the source, and unchanged at the destination. */
  | { readonly kind: "delete" }
  | { readonly kind: "stays"; readonly why: "changed there" | "deleted there" | "new there" | "gone at the source" }
  | { readonly kind: "conflict"; readonly why: ConflictReason }
  | { readonly kind: "skip"; readonly why: string }
  /** Both are the same: to be remembered. */
  | { readonly kind: "agreed" }
  /** Neither has it any more: to be forgotten. */
  | { readonly kind: "gone" };

export type ConflictReason =
  | "changed on both sides"
  | "different on both sides, and never synced before"
  | "changed at the source and deleted at the destination"
  | "deleted at the source and changed at the destination"
  | "a folder at one side and none at the other";

/** Both sides of a path, and what they were. */
export interface Situation {
  readonly known: Known | undefined;
  readonly source: EntryState | undefined;
  readonly destination: EntryState | undefined;
  readonly direction: SyncDirection;
  /** Whether deletions were asked for. */
  readonly deletes: boolean;
}

/**
 * Decides about one path. Pure. Nothing at the destination is replaced or deleted unless it is known to be what a sync
 * has left there.
 */
export function decide({ known, source, destination, direction, deletes }: Situation): Decision {
  if (!source && !destination) return { kind: "gone" };
  if (isSame(source, destination)) return { kind: "agreed" };
  if (source?.type === "other") return { kind: "skip", why: "a device, socket or pipe" };
  if (destination?.type === "other") return { kind: "skip", why: "a device, socket or pipe is in its place" };
  // What a folder holds is decided entry by entry; of itself it has nothing that could be lost.
  if (source?.type === "folder" && destination?.type === "folder") return { kind: "go", as: "update" };
  if (!known) return decideUnknown(source, destination);
  const { agreed, maybe } = known;
  const bases = [agreed, ...(maybe ? [maybe.state] : [])];
  // What a cut sync was to take away from here is no sync's work, but somebody's.
  const left = maybe?.direction === direction ? bases : [agreed];
  const base = left.find((one) => isSame(one, destination));
  const kept = base !== undefined || (destination === undefined && known.agreed === undefined);
  if (!kept) return decideChangedThere(bases, source, destination, deletes);
  if (!source) return deletes ? { kind: "delete" } : { kind: "stays", why: "gone at the source" };
  if (!destination) return { kind: "go", as: "create" };
  return replacement(source, destination);
}

function decideUnknown(source: EntryState | undefined, destination: EntryState | undefined): Decision {
  if (!destination) return { kind: "go", as: "create" };
  if (!source) return { kind: "stays", why: "new there" };
  if (source.type === "folder" || destination.type === "folder") return clash;
  return { kind: "conflict", why: "different on both sides, and never synced before" };
}

function decideChangedThere(
  bases: readonly (EntryState | undefined)[],
  source: EntryState | undefined,
  destination: EntryState | undefined,
  deletes: boolean,
): Decision {
  const sourceKept = bases.some((one) => isSame(one, source));
  if (sourceKept) return { kind: "stays", why: destination ? "changed there" : "deleted there" };
  if (!source) {
    return deletes
      ? { kind: "conflict", why: "deleted at the source and changed at the destination" }
      : { kind: "stays", why: "changed there" };
  }
  if (!destination) return { kind: "conflict", why: "changed at the source and deleted at the destination" };
  if (source.type === "folder" || destination.type === "folder") return clash;
  return { kind: "conflict", why: "changed on both sides" };
}

function replacement(source: EntryState, destination: EntryState): Decision {
  // rsync would replace a folder only with all that is in it.
  if (destination.type === "folder" || source.type === "folder") return clash;
  return { kind: "go", as: "update" };
}

const clash: Decision = { kind: "conflict", why: "a folder at one side and none at the other" };
