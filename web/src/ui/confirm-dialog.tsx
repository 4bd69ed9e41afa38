import type { ReactNode } from "react";
import { type Call, useCall } from "../api/use-call.ts";
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
      <ConfirmActions call={call} action={action} onConfirm={() => call.run()} onClose={onClose} />
    </Dialog>
  );
}

export interface ConfirmActionsProps {
  readonly call: Pick<Call<[]>, "failure" | "pending">;
  /** What the button that does it says. */
  readonly action: string;
  /** Answers whether it was done: the dialog then closes. */
  onConfirm(): Promise<boolean>;
  onClose(): void;
}

/** The end of such a dialog: why it could not be done, and the choice, of which the harmless one has the focus. */
export function ConfirmActions({ call, action, onConfirm, onClose }: ConfirmActionsProps) {
  const confirm = async () => {
    if (await onConfirm()) onClose();
  };
  return (
    <>
      {call.failure && <FailureNote failure={call.failure} />}
      <div className="dialog-actions">
        <Button onClick={onClose} autoFocus>
          Keep it
        </Button>
        <Button look="danger" busy={call.pending} onClick={confirm}>
          {action}
        </Button>
      </div>
    </>
  );
}
