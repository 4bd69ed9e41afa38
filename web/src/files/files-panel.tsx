import type { FileEntry, Sandbox } from "@berth/protocol";
import { useEffect, useRef, useState } from "react";
import { useStore } from "../api/store.ts";
import { useCall } from "../api/use-call.ts";
import { navigate } from "../app/navigation.ts";
import { filesPath } from "../app/route.ts";
import { usePageTitle } from "../sandbox/use-page-title.ts";
import { FailureNote } from "../ui/failure-note.tsx";
import { NameDialog, RemoveDialog } from "./dialogs.tsx";
import { droppedInto, pickedInto } from "./dropped-entries.ts";
import { FileTreeView } from "./file-tree.tsx";
import { FileView } from "./file-view.tsx";
import "./files.css";
import { FilesBar, type FilesWish } from "./files-bar.tsx";
import type { OpenFile } from "./open-file.ts";
import { folderOf, keyOf, nameOf, placeIn, type WorkspacePlace, workspaceRoot } from "./place.ts";
import type { Row } from "./rows.ts";
import { SearchBox, SearchResults } from "./search-box.tsx";
import { UploadList } from "./upload-list.tsx";
import { useFileDrop } from "./use-file-drop.ts";
import type { WorkspaceFiles } from "./workspace-files.ts";

export interface FilesPanelProps {
  sandbox: Sandbox;
  files: WorkspaceFiles;
  /** What the address names; the workspace itself: no file is shown. */
  place: WorkspacePlace;
}

/** The workspace's files: a tree, and the file that is chosen. */
export function FilesPanel({ sandbox, files, place }: FilesPanelProps) {
  const [current, setCurrent] = useState<Row | undefined>(undefined);
  const [line, setLine] = useState<number | undefined>(undefined);
  const [wish, setWish] = useState<FilesWish | undefined>(undefined);
  const root = useRef<HTMLDivElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const edited = useStore(files.edited);
  const searching = useStore(files.search.state).wish.q !== "";
  const file = useFile(files, place);
  const shows = place.path !== "";
  const entry = current?.kind === "entry" ? current.entry : undefined;
  const folder = entry ? folderAt(entry) : shows ? folderOf(place) : workspaceRoot;
  usePageTitle(sandbox.name, shows ? nameOf(place) : "Files", false);

  const show = (chosen: WorkspacePlace, at?: number) => {
    setLine(at);
    setCurrent(undefined);
    navigate(filesPath(sandbox.name, chosen), { replace: shows });
  };
  const open = (row: Row) => {
    if (row.kind === "entry" && row.entry.type === "folder") {
      if (row.open) files.tree.close(row.entry);
      else files.tree.open(row.entry);
    } else if (row.kind === "entry") show(row.entry);
    else files.tree.more(row.folder);
  };
  const wishFor = (kind: "rename" | "remove") => (row: Row) => {
    if (row.kind === "entry") setWish({ kind, entry: row.entry });
  };
  const drop = useCall(async (transfer: DataTransfer, into: WorkspacePlace) =>
    files.uploads.add(await droppedInto(into, transfer)),
  );
  const dragged = useFileDrop(root, true, (transfer, target) => {
    const key = target.closest("[data-key]")?.getAttribute("data-key");
    void drop.run(transfer, (key && folderOfRow(files, key)) || folder);
  });

  return (
    <div className="workspace" data-shows={shows ? "one" : "all"} ref={root}>
      <section className="workspace-side" aria-label="Files of the workspace" data-dragged={dragged || undefined}>
        <SearchBox search={files.search} />
        <FilesBar
          sandboxId={sandbox.id}
          folder={folder}
          entry={entry}
          onWish={setWish}
          onUpload={() => picker.current?.click()}
          onReload={() => files.reload()}
        />
        {drop.failure && <FailureNote failure={drop.failure} />}
        {searching ? (
          <SearchResults search={files.search} onOpen={show} />
        ) : (
          <FileTreeView
            tree={files.tree}
            currentKey={current?.key ?? (shows ? keyOf(place) : undefined)}
            shownKey={shows ? keyOf(place) : undefined}
            edited={edited}
            onCurrent={setCurrent}
            onOpen={open}
            onRename={wishFor("rename")}
            onRemove={wishFor("remove")}
          />
        )}
        {dragged && <p className="drop-words">Drop to upload into {folder.path || "the workspace"}.</p>}
      </section>
      {file ? (
        <FileView
          key={keyOf(file.place)}
          sandboxId={sandbox.id}
          file={file}
          line={line}
          onBack={() => navigate(filesPath(sandbox.name), { replace: true })}
          onRename={() => setWish({ kind: "rename", entry: file.place })}
          onRemove={() => setWish({ kind: "remove", entry: file.place })}
        />
      ) : (
        <section className="file-view file-view-none">
          <p className="view-words">Choose a file, or drop some here to upload them.</p>
        </section>
      )}
      <UploadList queue={files.uploads} />
      <input
        ref={picker}
        className="visually-hidden"
        type="file"
        multiple
        tabIndex={-1}
        aria-label="Files for the workspace"
        onChange={({ currentTarget }) => {
          files.uploads.add(pickedInto(folder, [...(currentTarget.files ?? [])]));
          // The same file may be picked again.
          currentTarget.value = "";
        }}
      />
      {wish && <WishDialog wish={wish} files={files} onShow={show} shown={place} onClose={() => setWish(undefined)} />}
    </div>
  );
}

interface WishDialogProps {
  wish: FilesWish;
  files: WorkspaceFiles;
  shown: WorkspacePlace;
  onShow: (place: WorkspacePlace) => void;
  onClose: () => void;
}

function WishDialog({ wish, files, shown, onShow, onClose }: WishDialogProps) {
  if (wish.kind === "remove") {
    const isFolder = "type" in wish.entry && wish.entry.type === "folder";
    const remove = async () => {
      await files.remove(wish.entry, isFolder);
      if (keyOf(shown) === keyOf(wish.entry)) onShow(workspaceRoot);
    };
    return <RemoveDialog name={nameOf(wish.entry)} isFolder={isFolder} onRemove={remove} onClose={onClose} />;
  }
  if (wish.kind === "rename") {
    const rename = async (name: string) => {
      const to = placeIn(folderOf(wish.entry), name);
      await files.move(wish.entry, to);
      if (keyOf(shown) === keyOf(wish.entry)) onShow(to);
    };
    const title = `Rename ${nameOf(wish.entry)}`;
    const initial = nameOf(wish.entry);
    return <NameDialog title={title} action="Rename" initial={initial} onName={rename} onClose={onClose} />;
  }
  const { folder } = wish;
  const make = async (name: string) => {
    const made = placeIn(folder, name);
    await (wish.kind === "newFile" ? files.makeFile(made) : files.makeFolder(made));
    files.tree.reveal(made);
    if (wish.kind === "newFile") onShow(made);
    else files.tree.open(made);
  };
  const title = wish.kind === "newFile" ? "New file" : "New folder";
  const note = `In ${folder.path === "" ? "the workspace" : folder.path}`;
  return <NameDialog title={title} action="Create" initial="" note={note} onName={make} onClose={onClose} />;
}

/** The file at the address, read and followed while it is shown. */
function useFile(files: WorkspaceFiles, place: WorkspacePlace): OpenFile | undefined {
  const [file, setFile] = useState<OpenFile | undefined>(undefined);
  const key = keyOf(place);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a place is what its key says
  useEffect(() => {
    files.tree.reveal(place);
    setFile(place.path === "" ? undefined : files.file(place));
  }, [files, key]);
  return file && keyOf(file.place) === key ? file : undefined;
}

/** Where what is made or uploaded goes, when this is chosen. */
function folderAt(entry: FileEntry): WorkspacePlace {
  return entry.type === "folder" ? entry : folderOf(entry);
}

function folderOfRow(files: WorkspaceFiles, key: string): WorkspacePlace | undefined {
  for (const { items } of files.tree.state.get().folders.values()) {
    const entry = items.find((item) => keyOf(item) === key);
    if (entry) return folderAt(entry);
  }
  return undefined;
}
