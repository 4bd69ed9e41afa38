import { gitUnsaved, type Sandbox, type UnsavedWork } from "@berth/protocol";
import { useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { ConfirmActions } from "../ui/confirm-dialog.tsx";
import { Dialog } from "../ui/dialog.tsx";
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
  const work = useUnsavedWork(sandbox);
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
        {work && <UnsavedLosses work={work} />}
        {running > 0 && <li>{running === 1 ? "one running terminal" : `${running} running terminals`}</li>}
      </ul>
      <ConfirmActions
        call={remove}
        action={unsaved ? "Delete it anyway" : `Delete ${sandbox.name}`}
        onConfirm={() => remove.run(unsaved)}
        onClose={onClose}
      />
    </Dialog>
  );
}

/** Paths that are named; of others the number says enough. */
const shownPaths = 4;

function UnsavedLosses({ work: { commits, files, stashes, paths } }: { work: UnsavedWork }) {
  const parts = [
    counted(commits, "commit"),
    counted(files, "file that is not committed", "files that are not committed"),
    counted(stashes, "stash", "stashes"),
  ].filter((part) => part !== undefined);
  if (parts.length === 0) return null;
  return (
    <li>
      <strong>work that is nowhere else: {parts.join(", ")}</strong>
      {paths.length > 0 && (
        <span className="quiet">
          {" "}
          ({paths.slice(0, shownPaths).join(", ")}
          {paths.length > shownPaths ? ", …" : ""})
        </span>
      )}
      . A copy is kept for a while: see the settings.
    </li>
  );
}

function counted(count: number, one: string, many = `${one}s`): string | undefined {
  return count === 0 ? undefined : `${count} ${count === 1 ? one : many}`;
}

/** What is in the sandbox's repository and nowhere else, as soon as it is known; the deletion itself asks again. */
function useUnsavedWork(sandbox: Sandbox): UnsavedWork | undefined {
  const api = useApi();
  const [work, setWork] = useState<UnsavedWork | undefined>(undefined);
  const { id, state } = sandbox;
  useEffect(() => {
    if (state !== "ready") return;
    const abort = new AbortController();
    api.call(gitUnsaved, { params: { id } }, { signal: abort.signal }).then(setWork, () => {});
    return () => abort.abort();
  }, [api, id, state]);
  return work?.known ? work : undefined;
}
