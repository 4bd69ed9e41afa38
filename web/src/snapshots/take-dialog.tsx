import { createSnapshot, randomKey, type Sandbox } from "@berth/protocol";
import { type FormEvent, useMemo, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { useFollow } from "../fleet/sandbox-actions.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";
import { NameField } from "../ui/name-field.tsx";
import { suggestSnapshotName, wrongSnapshotName } from "./names.ts";

export interface TakeDialogProps {
  sandbox: Sandbox;
  /** Names of the snapshots that there are. */
  taken: ReadonlySet<string>;
  onClose: () => void;
}

/** Asks what a snapshot is to be called, and takes it. */
export function TakeDialog({ sandbox, taken, onClose }: TakeDialogProps) {
  const [suggestion] = useState(() => suggestSnapshotName(taken, new Date()));
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const chosen = name || suggestion;
  const wrong = wrongSnapshotName(chosen, taken);
  const take = useTake(sandbox, chosen, description.trim(), onClose);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wrong === undefined) void take.run();
  };
  return (
    <Dialog title={`Take a snapshot of ${sandbox.name}`} onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <p className="quiet">
          {sandbox.state === "ready" ? "The sandbox runs on meanwhile. " : ""}A snapshot is of the disk alone: when you
          go back to it, programs begin anew, and Claude goes on with its conversations as they were.
        </p>
        <NameField value={name} suggestion={suggestion} maxLength={40} wrong={wrong} onName={setName} />
        <Field
          label="Description"
          value={description}
          placeholder="What it is of, if you like"
          maxLength={1000}
          onChange={(event) => setDescription(event.target.value)}
        />
        {take.failure && <FailureNote failure={take.failure} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" busy={take.pending}>
            Take snapshot
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** The call that takes it. Pressed again after a lost answer, it takes no second one. */
function useTake({ id }: Sandbox, name: string, description: string, onClose: () => void) {
  const api = useApi();
  const follow = useFollow();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another body is another request
  const idempotencyKey = useMemo(() => `snapshot-${randomKey()}`, [name, description]);
  return useCall(async () => {
    const body = { name, ...(description === "" ? {} : { description }) };
    const { operation } = await api.call(createSnapshot, { params: { id }, body }, { idempotencyKey });
    follow(operation);
    onClose();
  });
}
