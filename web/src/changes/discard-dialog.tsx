import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import type { ChangedFile } from "./groups.ts";

export interface DiscardDialogProps {
  files: readonly ChangedFile[];
  /** Rejects if it could not be done. */
  onDiscard: () => Promise<void>;
  onClose: () => void;
}

/** Asks before changes are thrown away. */
export function DiscardDialog({ files, onDiscard, onClose }: DiscardDialogProps) {
  const discard = useCall(onDiscard);
  const one = files.length === 1 ? files[0]?.file.path : undefined;
  const untracked = files.every(({ group }) => group === "untracked");
  return (
    <Dialog title={`Discard ${one ?? `${files.length} files`}?`} onClose={onClose}>
      <p>
        {untracked ? "It is taken out of the folder" : "It becomes what the index has again"}. What is thrown away is
        kept in the sandbox for two weeks, below <code>/workspace/.berth/discarded</code>.
      </p>
      {discard.failure && <FailureNote failure={discard.failure} />}
      <div className="dialog-actions">
        <Button onClick={onClose} autoFocus>
          Keep it
        </Button>
        <Button
          look="danger"
          busy={discard.pending}
          onClick={async () => {
            if (await discard.run()) onClose();
          }}
        >
          Discard
        </Button>
      </div>
    </Dialog>
  );
}
