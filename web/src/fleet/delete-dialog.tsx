import type { Sandbox } from "@berth/protocol";
import { useState } from "react";
import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { useTerminals } from "./context.tsx";

export interface DeleteDialogProps {
  sandbox: Sandbox;
  /** `discard`: also with work that is nowhere else. */
  onDelete: (discard: boolean) => Promise<void>;
  onClose: () => void;
}

/** Asks before a sandbox is destroyed, and names what goes with it. */
export function DeleteDialog({ sandbox, onDelete, onClose }: DeleteDialogProps) {
  const running = useTerminals(sandbox.id).filter((terminal) => terminal.state !== "exited").length;
  const remove = useCall(onDelete);
  const [unsaved, setUnsaved] = useState(false);
  // Said once, it holds until the dialog closes, whatever the next attempt fails of.
  if (!unsaved && remove.failure?.code === "unsaved_work") setUnsaved(true);
  return (
    <Dialog title={`Delete ${sandbox.name}?`} onClose={onClose}>
      <p>This cannot be undone. Lost are:</p>
      <ul className="losses">
        <li>
          {sandbox.vmid === null ? "its container" : `container ${sandbox.vmid}`}
          {sandbox.node === null ? "" : ` on ${sandbox.node}`} with its {sandbox.diskGiB} GiB disk
        </li>
        <li>
          everything in <code>/workspace</code> that is not pushed or copied elsewhere
        </li>
        {running > 0 && <li>{running === 1 ? "one running terminal" : `${running} running terminals`}</li>}
      </ul>
      {remove.failure && <FailureNote failure={remove.failure} />}
      <div className="dialog-actions">
        <Button onClick={onClose} autoFocus>
          Keep it
        </Button>
        <Button
          look="danger"
          busy={remove.pending}
          onClick={async () => {
            if (await remove.run(unsaved)) onClose();
          }}
        >
          {unsaved ? "Delete it anyway" : `Delete ${sandbox.name}`}
        </Button>
      </div>
    </Dialog>
  );
}
