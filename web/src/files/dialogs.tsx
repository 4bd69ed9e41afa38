import { type FormEvent, useId, useRef, useState } from "react";
import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";

export interface NameDialogProps {
  title: string;
  /** What the button says. */
  action: string;
  initial: string;
  note?: string;
  /** Rejects if it could not be done. */
  onName: (name: string) => Promise<void>;
  onClose: () => void;
}

/** Asks for the name of a file or folder. */
export function NameDialog({ title, action, initial, note, onName, onClose }: NameDialogProps) {
  const [name, setName] = useState(initial);
  const opened = useRef(false);
  const call = useCall(onName);
  const wrong = flawOf(name);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (name !== "" && wrong === undefined && (await call.run(name))) onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form className="form" onSubmit={(event) => void submit(event)}>
        <Field
          label="Name"
          className="mono-input"
          value={name}
          wrong={wrong}
          note={note}
          autoFocus
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          onFocus={({ currentTarget }) => {
            if (!opened.current) selectStem(currentTarget);
            opened.current = true;
          }}
          onChange={({ currentTarget }) => setName(currentTarget.value)}
        />
        {call.failure && <FailureNote failure={call.failure} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={call.pending} disabled={name === "" || wrong !== undefined}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** A name may have slashes: the folders on the way are meant. */
function flawOf(name: string): string | undefined {
  if (name === "") return undefined;
  if (name.startsWith("/")) return "A path in the workspace begins with a name.";
  if (name.split("/").some((part) => part === "" || part === "." || part === "..")) {
    return "Each part of the path needs a name.";
  }
  return name.includes("\0") ? "A name cannot have that letter." : undefined;
}

/** The name without what follows its last dot: that mostly stays. */
function selectStem(input: HTMLInputElement): void {
  const dot = input.value.lastIndexOf(".");
  input.setSelectionRange(input.value.lastIndexOf("/") + 1, dot > 0 ? dot : input.value.length);
}

export interface RemoveDialogProps {
  name: string;
  isFolder: boolean;
  /** Rejects if it could not be done. */
  onRemove: () => Promise<void>;
  onClose: () => void;
}

/** Asks before a file or a folder is deleted. */
export function RemoveDialog({ name, isFolder, onRemove, onClose }: RemoveDialogProps) {
  return (
    <ConfirmDialog title={`Delete ${name}?`} action={`Delete ${name}`} onConfirm={onRemove} onClose={onClose}>
      {isFolder ? "The folder and everything in it is" : "The file is"} deleted in the sandbox. This cannot be undone.
    </ConfirmDialog>
  );
}

/** Asks before something is lost that was typed. */
export function LeaveDialog({ name, onLeave, onClose }: { name: string; onLeave: () => void; onClose: () => void }) {
  const id = useId();
  return (
    <Dialog title={`Leave ${name} as it was?`} onClose={onClose}>
      <p id={id}>What you typed is not saved, and is lost.</p>
      <div className="dialog-actions">
        <Button onClick={onClose} autoFocus aria-describedby={id}>
          Keep editing
        </Button>
        <Button look="danger" onClick={onLeave}>
          Drop what I typed
        </Button>
      </div>
    </Dialog>
  );
}
