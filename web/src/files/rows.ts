import type { Failure, FileEntry } from "@berth/protocol";
import { keyOf, type WorkspacePlace, workspaceRoot } from "./place.ts";
import type { TreeState } from "./tree.ts";

/** A line of the tree as it is shown. Levels begin at 1. */
export type Row =
  | {
      readonly kind: "entry";
      readonly key: string;
      readonly level: number;
      readonly entry: FileEntry;
      readonly open: boolean;
      /** Its place among its neighbours, from 1 on, and their number; -1: that is not known. */
      readonly position: number;
      readonly neighbours: number;
    }
  | { readonly kind: "more"; readonly key: string; readonly level: number; readonly folder: WorkspacePlace }
  | {
      readonly kind: "note";
      readonly key: string;
      readonly level: number;
      readonly folder: WorkspacePlace;
      /** Null: it is being listed, or `empty`. */
      readonly failure: Failure | null;
      readonly empty: boolean;
    };

/** The lines of all folders that are open, from the top. */
export function rowsOf(state: TreeState): readonly Row[] {
  return rowsIn(state, workspaceRoot, 1);
}

function rowsIn(state: TreeState, folder: WorkspacePlace, level: number): readonly Row[] {
  const key = keyOf(folder);
  const known = state.folders.get(key);
  const note = { kind: "note", key: `${key}//note`, level, folder } as const;
  if (!known) return [{ ...note, failure: null, empty: false }];
  if (known.failure) return [{ ...note, failure: known.failure, empty: false }];
  if (known.items.length === 0) return [{ ...note, failure: null, empty: !known.loading }];
  const rows = known.items.flatMap((entry, index): readonly Row[] => {
    const entryKey = keyOf(entry);
    const open = entry.type === "folder" && state.open.has(entryKey);
    const neighbours = known.more ? -1 : known.items.length;
    const row: Row = { kind: "entry", key: entryKey, level, entry, open, position: index + 1, neighbours };
    return open ? [row, ...rowsIn(state, entry, level + 1)] : [row];
  });
  return known.more ? [...rows, { kind: "more", key: `${key}//more`, level, folder }] : rows;
}

/** The line that an arrow, Home or End leads to from another; undefined if it leads nowhere. */
export function neighbourOf(rows: readonly Row[], key: string | undefined, move: string): Row | undefined {
  const stops = rows.filter(({ kind }) => kind !== "note");
  const at = stops.findIndex((row) => row.key === key);
  switch (move) {
    case "ArrowDown":
      return stops[at + 1];
    case "ArrowUp":
      return at <= 0 ? undefined : stops[at - 1];
    case "Home":
      return stops[0];
    case "End":
      return stops.at(-1);
    case "ArrowRight":
      return isBelow(stops[at + 1], stops[at]) ? stops[at + 1] : undefined;
    case "ArrowLeft":
      return stops.slice(0, Math.max(0, at)).findLast((row) => row.level < (stops[at]?.level ?? 0));
    default:
      return undefined;
  }
}

/** The next line behind `key` whose name begins with what was typed; one letter again and again goes through all. */
export function typedAhead(rows: readonly Row[], key: string | undefined, typed: string): Row | undefined {
  const at = rows.findIndex((row) => row.key === key);
  const repeated = [...typed].every((letter) => letter === typed[0]);
  const wanted = (repeated ? typed.slice(0, 1) : typed).toLowerCase();
  // Who types on stays at the line that the first letters led to.
  const from = repeated ? at + 1 : Math.max(0, at);
  return [...rows.slice(from), ...rows.slice(0, from)].find(
    (row) => row.kind === "entry" && row.entry.name.toLowerCase().startsWith(wanted),
  );
}

function isBelow(row: Row | undefined, other: Row | undefined): boolean {
  return row !== undefined && other !== undefined && row.level > other.level;
}
