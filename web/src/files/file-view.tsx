import { useState } from "react";
import { useStore } from "../api/store.ts";
import { Button } from "../ui/button.tsx";
import { copyText } from "../ui/clipboard.ts";
import { FailureNote } from "../ui/failure-note.tsx";
import { Icon } from "../ui/icon.tsx";
import { Menu } from "../ui/menu.tsx";
import { bytesText } from "./bytes.ts";
import { ConflictDialog } from "./conflict-dialog.tsx";
import { type Content, fileUrl, zipUrl } from "./content.ts";
import { LeaveDialog } from "./dialogs.tsx";
import { lineEndsOf } from "./line-ends.ts";
import type { OpenFile, OpenFileState } from "./open-file.ts";
import { nameOf, type WorkspacePlace } from "./place.ts";
import { TextEditor, TextView } from "./text-view.tsx";

export interface FileViewProps {
  sandboxId: string;
  file: OpenFile;
  /** The line that a search led to, from 1 on. */
  line: number | undefined;
  onBack: () => void;
  onRename: () => void;
  onRemove: () => void;
}

/** A file: shown, edited, downloaded. */
export function FileView({ sandboxId, file, line, onBack, onRename, onRemove }: FileViewProps) {
  const state = useStore(file.state);
  const [leaving, setLeaving] = useState(false);
  const { content, draft } = state;
  const editable = content?.kind === "text" && !state.gone;
  const mixed = content?.kind === "text" && lineEndsOf(content.text) === "mixed";
  const cancel = () => (file.isEdited ? setLeaving(true) : file.discard());
  return (
    <section className="file-view" aria-label={file.place.path}>
      <header className="view-head">
        <button type="button" className="button button-quiet view-back" aria-label="Back to the files" onClick={onBack}>
          <Icon name="left" />
        </button>
        <h2 className="view-path mono">{file.place.path}</h2>
        <span className="view-size quiet">{content && "bytes" in content && bytesText(content.bytes)}</span>
        {draft !== undefined ? (
          <>
            <Button onClick={cancel}>Cancel</Button>
            <Button look="primary" busy={state.saving} onClick={() => void file.save()}>
              Save
            </Button>
          </>
        ) : (
          editable && (
            <Button
              disabled={mixed}
              title={mixed ? "Its lines end in different ways, which an editor here would make alike." : undefined}
              onClick={() => file.edit()}
            >
              Edit
            </Button>
          )
        )}
        <FileMenu sandboxId={sandboxId} place={file.place} content={content} onRename={onRename} onRemove={onRemove} />
      </header>
      <FileNotes file={file} state={state} />
      {draft !== undefined ? (
        <TextEditor
          text={draft}
          readOnly={state.saving}
          label={file.place.path}
          onChange={(text) => file.type(text)}
          onSave={() => void file.save()}
        />
      ) : (
        <FileContent sandboxId={sandboxId} place={file.place} state={state} line={line} />
      )}
      {state.conflict && <ConflictDialog file={file} theirs={state.conflict} />}
      {leaving && (
        <LeaveDialog
          name={nameOf(file.place)}
          onLeave={() => {
            setLeaving(false);
            file.discard();
          }}
          onClose={() => setLeaving(false)}
        />
      )}
    </section>
  );
}

interface FileMenuProps {
  sandboxId: string;
  place: WorkspacePlace;
  content: Content | undefined;
  onRename: () => void;
  onRemove: () => void;
}

function FileMenu({ sandboxId, place, content, onRename, onRemove }: FileMenuProps) {
  const isFile = content?.kind !== "folder" && content?.kind !== "link" && content?.kind !== "special";
  return (
    <Menu
      label={`Actions for ${nameOf(place)}`}
      button={<Icon name="more" />}
      items={[
        ...(isFile ? [{ label: "Download", onSelect: () => download(fileUrl(sandboxId, place)) }] : []),
        { label: "Download as zip", onSelect: () => download(zipUrl(sandboxId, place)) },
        { label: "Copy path", onSelect: () => void copyText(`/workspace/${place.path}`) },
        { label: "Rename…", onSelect: onRename },
        { label: "Delete…", danger: true, onSelect: onRemove },
      ]}
    />
  );
}

/** Has the browser save what is at the URL; the server names it. */
export function download(url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}

function FileNotes({ file, state }: { file: OpenFile; state: OpenFileState }) {
  return (
    <>
      {state.failure && (
        <FailureNote failure={state.failure}>
          {state.draft === undefined && <Button onClick={() => void file.load()}>Try again</Button>}
        </FailureNote>
      )}
      {state.outdated && !state.conflict && (
        <p className="view-note" role="status">
          {state.gone ? "It was deleted in the sandbox meanwhile." : "It was changed in the sandbox meanwhile."} Saving
          asks what to keep.
        </p>
      )}
    </>
  );
}

interface FileContentProps {
  sandboxId: string;
  place: WorkspacePlace;
  state: OpenFileState;
  line: number | undefined;
}

function FileContent({ sandboxId, place, state, line }: FileContentProps) {
  const { content, gone, failure } = state;
  if (gone) return <p className="view-words">There is nothing of that name any more.</p>;
  if (!content) {
    return failure ? null : (
      <p className="view-words" role="status">
        Opening {nameOf(place)}…
      </p>
    );
  }
  switch (content.kind) {
    case "text":
      return content.text === "" ? (
        <p className="view-words">The file is empty.</p>
      ) : (
        <TextView text={content.text} line={line} label={place.path} />
      );
    case "image":
      return (
        <div className="view-image">
          <img src={content.dataUrl} alt={nameOf(place)} />
        </div>
      );
    case "binary":
      return (
        <OfferDownload url={fileUrl(sandboxId, place)}>
          It is neither text nor a picture, {bytesText(content.bytes)}.
        </OfferDownload>
      );
    case "large":
      return (
        <OfferDownload url={fileUrl(sandboxId, place)}>
          With {bytesText(content.bytes)} it is too large to be shown here.
        </OfferDownload>
      );
    case "folder":
      return (
        <OfferDownload url={zipUrl(sandboxId, place)}>It is a folder, which can be downloaded as a zip.</OfferDownload>
      );
    case "link":
      return (
        <p className="view-words">
          It is a link to <code>{content.target}</code>, which is not followed here.
        </p>
      );
    case "special":
      return <p className="view-words">It is a device, a socket or a pipe, and has no content to show.</p>;
  }
}

function OfferDownload({ url, children }: { url: string; children: React.ReactNode }) {
  return (
    <div className="view-words">
      <p>{children}</p>
      <Button onClick={() => download(url)}>Download</Button>
    </div>
  );
}
