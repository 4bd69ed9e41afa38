import type { Terminal } from "@berth/protocol";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";

export interface CloseTerminalDialogProps {
  terminal: Terminal;
  name: string;
  onConfirm: () => Promise<void>;
  onClose: () => void;
}

/** Asks before a terminal is closed whose program runs. */
export function CloseTerminalDialog({ terminal, name, onConfirm, onClose }: CloseTerminalDialogProps) {
  return (
    <ConfirmDialog title={`Close ${name}?`} action="End and close" onConfirm={onConfirm} onClose={onClose}>
      Its program is still running and will be ended.
      {terminal.kind === "claude" ? " An answer that Claude is writing is lost; the conversation is kept." : ""}
    </ConfirmDialog>
  );
}
