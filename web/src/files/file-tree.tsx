import { type KeyboardEvent, useEffect, useRef } from "react";
import { useStore } from "../api/store.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { neighbourOf, type Row, rowsOf, typedAhead } from "./rows.ts";
import type { FileTree } from "./tree.ts";
import { TreeRow } from "./tree-row.tsx";

export interface FileTreeViewProps {
  tree: FileTree;
  /** The key of the line that the keys act on. */
  currentKey: string | undefined;
  /** The key of the file that is shown. */
  shownKey: string | undefined;
  edited: ReadonlySet<string>;
  onCurrent: (row: Row) => void;
  /** A file was chosen, or a folder's line pressed. */
  onOpen: (row: Row) => void;
  onRename: (row: Row) => void;
  onRemove: (row: Row) => void;
}

/** What is typed within this time belongs to one name, in milliseconds. */
const typingMs = 700;

/** The workspace as a tree: arrows, Home and End move, Enter opens, letters jump, F2 renames, Delete asks to delete. */
export function FileTreeView(props: FileTreeViewProps) {
  const { tree, currentKey, shownKey, edited } = props;
  const rows = rowsOf(useStore(tree.state));
  const root = useRef<HTMLDivElement>(null);
  const typed = useRef({ letters: "", at: 0 });
  const wantsFocus = useRef(false);
  const stop = rows.some(({ key, kind }) => key === currentKey && kind !== "note") ? currentKey : rows[0]?.key;

  useEffect(() => {
    if (!wantsFocus.current) return;
    wantsFocus.current = false;
    root.current?.querySelector<HTMLElement>("[role=treeitem][tabindex='0']")?.focus();
  });

  const moveTo = (row: Row | undefined) => {
    if (!row) return;
    wantsFocus.current = true;
    props.onCurrent(row);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows.find(({ key }) => key === stop);
    if (!row || event.altKey || event.ctrlKey || event.metaKey || !isItem(event.target)) return;
    const isFolder = row.kind === "entry" && row.entry.type === "folder";
    if (event.key === "Enter" || (event.key === " " && typed.current.letters === "")) props.onOpen(row);
    else if (event.key === "ArrowRight" && isFolder && !row.open) tree.open(row.entry);
    else if (event.key === "ArrowLeft" && isFolder && row.open) tree.close(row.entry);
    else if (/^(Arrow(Up|Down|Left|Right)|Home|End)$/.test(event.key)) moveTo(neighbourOf(rows, stop, event.key));
    else if (event.key === "F2") props.onRename(row);
    else if (event.key === "Delete") props.onRemove(row);
    else if (event.key.length === 1) {
      const now = Date.now();
      const letters = now - typed.current.at < typingMs ? typed.current.letters + event.key : event.key;
      typed.current = { letters, at: now };
      moveTo(typedAhead(rows, stop, letters));
    } else return;
    event.preventDefault();
  };

  return (
    <div className="tree" role="tree" aria-label="Files" ref={root} onKeyDown={onKeyDown}>
      {rows.map((row) =>
        row.kind === "note" ? (
          <Note key={row.key} row={row} tree={tree} />
        ) : (
          <TreeRow
            key={row.key}
            row={row}
            stop={row.key === stop}
            shown={row.key === shownKey}
            edited={edited.has(row.key)}
            onFocus={() => props.onCurrent(row)}
            onPress={() => {
              props.onCurrent(row);
              props.onOpen(row);
            }}
          />
        ),
      )}
    </div>
  );
}

function Note({ row, tree }: { row: Extract<Row, { kind: "note" }>; tree: FileTree }) {
  if (row.failure) {
    return (
      <FailureNote failure={row.failure}>
        <Button onClick={() => void tree.reload(row.folder)}>Try again</Button>
      </FailureNote>
    );
  }
  const words = row.level > 1 ? "Nothing is in it" : "The workspace is empty";
  return (
    <p className="tree-note" data-level={row.level} style={{ paddingLeft: `${row.level * 14 + 16}px` }}>
      {row.empty ? words : "Loading…"}
    </p>
  );
}

function isItem(target: EventTarget): boolean {
  return target instanceof HTMLElement && target.getAttribute("role") === "treeitem";
}
