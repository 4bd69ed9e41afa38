import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { bytesText } from "./bytes.ts";
import type { OpenFile, Theirs } from "./open-file.ts";
import { nameOf } from "./place.ts";

/** Asks what becomes of a text that was edited here, and in the sandbox too. */
export function ConflictDialog({ file, theirs }: { file: OpenFile; theirs: Theirs }) {
  const { content } = theirs;
  const keep = () => file.keepEditing();
  return (
    <Dialog
      title={`${nameOf(file.place)} was ${content ? "changed" : "deleted"} in the sandbox meanwhile`}
      onClose={keep}
    >
      <p>Nothing was saved yet. What you typed is kept until you decide.</p>
      {content?.kind === "text" && (
        <>
          <p className="quiet">The sandbox has, with {bytesText(content.bytes)}:</p>
          <pre className="conflict-text mono">{content.text}</pre>
        </>
      )}
      <div className="dialog-actions">
        <Button onClick={keep} autoFocus>
          Keep editing
        </Button>
        <Button onClick={() => file.takeTheirs()}>{content ? "Take theirs" : "Drop what I typed"}</Button>
        <Button look="danger" onClick={() => void file.overwrite()}>
          {content ? "Overwrite" : "Write it anew"}
        </Button>
      </div>
    </Dialog>
  );
}
