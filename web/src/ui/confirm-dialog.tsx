import type { ReactNode } from "react";
import { useCall } from "../api/use-call.ts";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { FailureNote } from "./failure-note.tsx";

export interface ConfirmDialogProps {
  title: string;
  /** What is about to be lost. */
  children: ReactNode;
  /** What the button that does it says. */
  action: string;
  /** Rejects if it could not be done: the dialog then says why, and stays. */
  onConfirm: () => Promise<void>;
  onClose: () => void;
}

/** Asks before something is done that takes something away. */
export function ConfirmDialog({ title, children, action, onConfirm, onClose }: ConfirmDialogProps) {
  const call = useCall(onConfirm);
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{children}</p>
      {call.failure && <FailureNote failure={call.failure} />}
      <div className="dialog-actions">
        <Button onClick={onClose} autoFocus>
          Keep it
        </Button>
        <Button
          look="danger"
          busy={call.pending}
          onClick={async () => {
            if (await call.run()) onClose();
          }}
        >
          {action}
        </Button>
      </div>
    </Dialog>
  );
}
