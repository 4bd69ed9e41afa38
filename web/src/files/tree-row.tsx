import { useEffect, useRef } from "react";
import { Icon } from "../ui/icon.tsx";
import type { Row } from "./rows.ts";

export interface TreeRowProps {
  row: Exclude<Row, { kind: "note" }>;
  /** The line where the tab key stops. */
  stop: boolean;
  /** Its file is shown. */
  shown: boolean;
  edited: boolean;
  onFocus: () => void;
  onPress: () => void;
}

/** A line of the tree: a file, a folder, or the rest of a long folder. */
export function TreeRow({ row, stop, shown, edited, onFocus, onPress }: TreeRowProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (shown) place.current?.scrollIntoView({ block: "nearest" });
  }, [shown]);
  const isFolder = row.kind === "entry" && row.entry.type === "folder";
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree takes the keys of all its lines
    <div
      ref={place}
      className="tree-row"
      role="treeitem"
      tabIndex={stop ? 0 : -1}
      aria-level={row.level}
      aria-selected={shown}
      data-key={row.key}
      {...(isFolder ? { "aria-expanded": row.open } : {})}
      {...(row.kind === "entry" ? { "aria-posinset": row.position, "aria-setsize": row.neighbours } : {})}
      style={{ paddingLeft: `${(row.level - 1) * 14 + 8}px` }}
      onFocus={onFocus}
      onClick={onPress}
    >
      {row.kind === "more" ? <span className="tree-more">Show more…</span> : <Entry row={row} edited={edited} />}
    </div>
  );
}

function Entry({ row, edited }: { row: Extract<Row, { kind: "entry" }>; edited: boolean }) {
  const { entry } = row;
  const isFolder = entry.type === "folder";
  return (
    <>
      <span className="tree-arrow" aria-hidden="true">
        {isFolder && <Icon name={row.open ? "down" : "right"} />}
      </span>
      <span className="tree-name" title={entry.type === "link" ? `${entry.name} → ${entry.target ?? ""}` : entry.name}>
        {entry.name}
        {isFolder && <span className="tree-slash">/</span>}
        {entry.type === "link" && <span className="tree-slash"> → {entry.target}</span>}
      </span>
      {edited && (
        <span className="tree-edited">
          ●<span className="visually-hidden"> not saved</span>
        </span>
      )}
    </>
  );
}
