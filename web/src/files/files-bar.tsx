import type { FileEntry } from "@berth/protocol";
import { Icon } from "../ui/icon.tsx";
import { Menu, type MenuItem } from "../ui/menu.tsx";
import { fileUrl, zipUrl } from "./content.ts";
import { download } from "./file-view.tsx";
import { type WorkspacePlace, workspaceRoot } from "./place.ts";

/** What somebody wants to do with files, to be asked about. */
export type FilesWish =
  | { readonly kind: "newFile"; readonly folder: WorkspacePlace }
  | { readonly kind: "newFolder"; readonly folder: WorkspacePlace }
  | { readonly kind: "rename"; readonly entry: WorkspacePlace | FileEntry }
  | { readonly kind: "remove"; readonly entry: WorkspacePlace | FileEntry };

export interface FilesBarProps {
  sandboxId: string;
  /** Where what is made or uploaded goes. */
  folder: WorkspacePlace;
  /** The line of the tree that was chosen. */
  entry: FileEntry | undefined;
  onWish: (wish: FilesWish) => void;
  onUpload: () => void;
  onReload: () => void;
}

/** What can be done in the tree, with the folder where it is done. */
export function FilesBar({ sandboxId, folder, entry, onWish, onUpload, onReload }: FilesBarProps) {
  const where = folder.path === "" ? "the workspace" : folder.path;
  const ofEntry: MenuItem[] = entry
    ? [
        {
          label: `Download ${entry.name}`,
          onSelect: () => download(entry.type === "file" ? fileUrl(sandboxId, entry) : zipUrl(sandboxId, entry)),
        },
        { label: `Rename ${entry.name}…`, onSelect: () => onWish({ kind: "rename", entry }) },
        { label: `Delete ${entry.name}…`, danger: true, onSelect: () => onWish({ kind: "remove", entry }) },
      ]
    : [];
  return (
    <div className="files-bar">
      <span className="files-where mono" title={`/workspace/${folder.path}`}>
        /workspace{folder.path === "" ? "" : `/${folder.path}`}
      </span>
      <Menu
        label={`New in ${where}`}
        button={<Icon name="plus" />}
        items={[
          { label: "New file…", onSelect: () => onWish({ kind: "newFile", folder }) },
          { label: "New folder…", onSelect: () => onWish({ kind: "newFolder", folder }) },
          { label: "Upload files…", onSelect: onUpload },
        ]}
      />
      <Menu
        label="More actions for files"
        button={<Icon name="more" />}
        items={[
          ...ofEntry,
          { label: "Download the workspace", onSelect: () => download(zipUrl(sandboxId, workspaceRoot)) },
          { label: "Look again", onSelect: onReload },
        ]}
      />
    </div>
  );
}
