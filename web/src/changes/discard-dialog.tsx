import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import type { ChangedFile } from "./groups.ts";

export interface DiscardDialogProps {
  files: readonly ChangedFile[];
  /** Rejects if it could not be done. */
  onDiscard: () => Promise<void>;
  onClose: () => void;
}

/** Asks before changes are thrown away. */
export function DiscardDialog({ files, onDiscard, onClose }: DiscardDialogProps) {
  const one = files.length === 1 ? files[0]?.file.path : undefined;
  const untracked = files.every(({ group }) => group === "untracked");
  return (
    <ConfirmDialog
      title={`Discard ${one ?? `${files.length} files`}?`}
      action="Discard"
      onConfirm={onDiscard}
      onClose={onClose}
    >
      {untracked ? "It is taken out of the folder" : "It becomes what the index has again"}. What is thrown away is kept
      in the sandbox for two weeks, below <code>/workspace/.berth/discarded</code>.
    </ConfirmDialog>
  );
}
