import { forkSandbox, randomKey, type Sandbox } from "@berth/protocol";
import { type FormEvent, useMemo, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { navigate } from "../app/navigation.ts";
import { sandboxPath } from "../app/route.ts";
import { useFleet, useSandboxes } from "../fleet/context.tsx";
import { useFollow } from "../fleet/sandbox-actions.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { NameField } from "../ui/name-field.tsx";
import { suggestForkName, wrongSandboxName } from "./names.ts";
import { useSnapshots } from "./use-snapshots.ts";

export interface ForkDialogProps {
  sandbox: Sandbox;
  /** The snapshot that is chosen at first; undefined: none, as it is now. */
  from?: string;
  onClose: () => void;
}

/** Asks how a copy of a sandbox is to be called and of what, makes it and goes to its page. */
export function ForkDialog({ sandbox, from, onClose }: ForkDialogProps) {
  const taken = new Set(useSandboxes().map(({ name }) => name));
  const [suggestion] = useState(() => suggestForkName(sandbox.name, taken));
  const [name, setName] = useState("");
  const [snapshot, setSnapshot] = useState(from);
  const [start, setStart] = useState(true);
  const chosen = name || suggestion;
  const wrong = wrongSandboxName(chosen, taken);
  const fork = useFork(sandbox, { name: chosen, snapshot, start }, onClose);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wrong === undefined) void fork.run();
  };
  return (
    <Dialog title={`Fork ${sandbox.name}`} onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <p className="quiet">
          A copy of its disk, size and Claude’s conversations, with an identity of its own. Both go on from there,
          apart.
        </p>
        <NameField
          value={name}
          suggestion={suggestion}
          maxLength={63}
          wrong={wrong}
          onName={(typed) => setName(typed.toLowerCase())}
        />
        <SourceField sandbox={sandbox} snapshot={snapshot} onSnapshot={setSnapshot} />
        <label className="check">
          <input type="checkbox" checked={start} onChange={(event) => setStart(event.target.checked)} />
          <span>Start it when it is made</span>
        </label>
        {fork.failure && <FailureNote failure={fork.failure} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" busy={fork.pending}>
            Fork to {chosen}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface SourceFieldProps {
  sandbox: Sandbox;
  snapshot: string | undefined;
  onSnapshot: (snapshot: string | undefined) => void;
}

/** What is copied: the sandbox as it is, or one of its snapshots. */
function SourceField({ sandbox, snapshot, onSnapshot }: SourceFieldProps) {
  const { items, failure } = useSnapshots(sandbox);
  const names = items?.map(({ name }) => name) ?? [];
  // One that was named before the list has come, or has gone since: the controller says so.
  const shown = snapshot === undefined || names.includes(snapshot) ? names : [snapshot, ...names];
  const runs = sandbox.state === "ready";
  return (
    <div className="field">
      <label className="field">
        <span>Copy it</span>
        <select value={snapshot ?? ""} onChange={(event) => onSnapshot(event.target.value || undefined)}>
          <option value="">as it is now</option>
          {shown.map((name) => (
            <option key={name} value={name}>
              as it was at {name}
            </option>
          ))}
        </select>
      </label>
      {snapshot === undefined && runs && (
        <p className="field-note">
          It runs on meanwhile, by a snapshot that is removed again. On storage without snapshots it has to be stopped
          first; Berth says so then.
        </p>
      )}
      {failure && <p className="field-note field-wrong">Its snapshots cannot be listed: {failure.message}</p>}
    </div>
  );
}

interface Wish {
  readonly name: string;
  readonly snapshot: string | undefined;
  readonly start: boolean;
}

/** The call that makes the copy. Pressed again after a lost answer, it makes no second one. */
function useFork({ id }: Sandbox, { name, snapshot, start }: Wish, onClose: () => void) {
  const api = useApi();
  const fleet = useFleet();
  const follow = useFollow();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another body is another request
  const idempotencyKey = useMemo(() => `fork-${randomKey()}`, [name, snapshot, start]);
  return useCall(async () => {
    const body = { name, start, ...(snapshot === undefined ? {} : { snapshot }) };
    const made = await api.call(forkSandbox, { params: { id }, body }, { idempotencyKey });
    fleet.answer(made.sandbox);
    follow(made.operation);
    onClose();
    navigate(sandboxPath(made.sandbox.name));
  });
}
