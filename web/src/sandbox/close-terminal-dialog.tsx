import type { Terminal } from "@berth/protocol";
import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";

export interface CloseTerminalDialogProps {
  terminal: Terminal;
  name: string;
  onConfirm: () => Promise<void>;
  onClose: () => void;
}

/** Asks before a terminal is closed whose program runs. */
export function CloseTerminalDialog({ terminal, name, onConfirm, onClose }: CloseTerminalDialogProps) {
  const close = useCall(onConfirm);
  return (
    <Dialog title={`Close ${name}?`} onClose={onClose}>
      <p>
        Its program is still running and will be ended.
        {terminal.kind === "claude" ? " An answer that Claude is writing is lost; the conversation is kept." : ""}
      </p>
      {close.failure && <FailureNote failure={close.failure} />}
      <div className="dialog-actions">
        <Button onClick={onClose} autoFocus>
          Keep it
        </Button>
        <Button
          look="danger"
          busy={close.pending}
          onClick={async () => {
            if (await close.run()) onClose();
          }}
        >
          End and close
        </Button>
      </div>
    </Dialog>
  );
}
