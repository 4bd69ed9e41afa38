import { type Sandbox, updateSandbox } from "@berth/protocol";
import { type FormEvent, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { navigate } from "../app/navigation.ts";
import { sandboxSettingsPath } from "../app/route.ts";
import { useFleet, useSandboxes } from "../fleet/context.tsx";
import { SizeNumbers } from "../fleet/size-fields.tsx";
import { SleepField } from "../fleet/sleep-field.tsx";
import { wrongSandboxName } from "../snapshots/names.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";
import { type Change, changeOf } from "./change.ts";

/** A sandbox's settings, to be changed while it lives. What is not edited follows what others change. */
export function SettingsForm({ sandbox }: { sandbox: Sandbox }) {
  const [edits, setEdits] = useState<Change>({});
  const [saved, setSaved] = useState(false);
  const others = useSandboxes().filter(({ id }) => id !== sandbox.id);
  const shown = { ...sandbox, ...edits };
  const change = changeOf(sandbox, edits);
  const dirty = Object.keys(change).length > 0;
  const wrong = wrongSandboxName(shown.name, new Set(others.map(({ name }) => name)));
  const save = useSave(sandbox, () => {
    setEdits({});
    setSaved(true);
  });
  const edit = (edited: Change) => {
    setSaved(false);
    setEdits({ ...edits, ...edited });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (dirty && wrong === undefined) void save.run(change);
  };
  return (
    <form className="form settings-form" onSubmit={submit}>
      <div className="settings-part">
        <NameField name={shown.name} wrong={wrong} onName={(name) => edit({ name })} />
      </div>
      <SizePart size={shown} sandbox={sandbox} onEdit={edit} />
      <section className="settings-part" aria-labelledby="sleep-title">
        <h2 id="sleep-title">Sleep</h2>
        <SleepField value={shown.sleepAfterMinutes} onValue={(sleepAfterMinutes) => edit({ sleepAfterMinutes })} />
      </section>
      <GuardPart settings={shown} onEdit={edit} />
      <div className="settings-save" data-dirty={dirty || undefined}>
        {save.failure && <FailureNote failure={save.failure} />}
        <Button look="primary" type="submit" busy={save.pending} disabled={!dirty || wrong !== undefined}>
          Save changes
        </Button>
        {dirty && <Button onClick={() => setEdits({})}>Discard</Button>}
        <span className="quiet" role="status">
          {saved && !dirty ? (sandbox.operationId === null ? "Saved." : "Saved; it is being applied.") : ""}
        </span>
      </div>
    </form>
  );
}

function useSave(sandbox: Sandbox, onSaved: () => void) {
  const api = useApi();
  const fleet = useFleet();
  return useCall(async (body: Change) => {
    const changed = await api.call(updateSandbox, { params: { id: sandbox.id }, body });
    fleet.answer(changed);
    onSaved();
    if (changed.name !== sandbox.name) navigate(sandboxSettingsPath(changed.name), { replace: true });
  });
}

interface NameFieldProps {
  name: string;
  wrong: string | undefined;
  onName: (name: string) => void;
}

function NameField({ name, wrong, onName }: NameFieldProps) {
  return (
    <Field
      label="Name"
      className="mono-input"
      value={name}
      required
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      maxLength={63}
      note="Its address here and its name for SSH follow it."
      wrong={wrong}
      onChange={(event) => onName(event.target.value.trim().toLowerCase())}
    />
  );
}

interface PartProps {
  onEdit: (edited: Change) => void;
}

function SizePart({ size, sandbox, onEdit }: PartProps & { size: Sandbox; sandbox: Sandbox }) {
  return (
    <section className="settings-part" aria-labelledby="size-title">
      <h2 id="size-title">Size</h2>
      <SizeNumbers size={size} minDiskGiB={sandbox.diskGiB} onSize={onEdit} />
      <p className="field-note">
        Cores and memory count at once where Proxmox can; what needs a restart is said. A disk only grows: it has{" "}
        {sandbox.diskGiB} GiB.
      </p>
    </section>
  );
}

function GuardPart({ settings, onEdit }: PartProps & { settings: Sandbox }) {
  return (
    <section className="settings-part" aria-labelledby="guard-title">
      <h2 id="guard-title">Start and protection</h2>
      <label className="check">
        <input
          type="checkbox"
          checked={settings.onBoot}
          onChange={(event) => onEdit({ onBoot: event.target.checked })}
        />
        <span className="check-words">
          Start with its node
          <span className="field-note">When the Proxmox host boots, this sandbox does.</span>
        </span>
      </label>
      <label className="check">
        <input
          type="checkbox"
          checked={settings.protection}
          onChange={(event) => onEdit({ protection: event.target.checked })}
        />
        <span className="check-words">
          Protect it from deletion
          <span className="field-note">Neither Berth nor Proxmox deletes it until this is taken off.</span>
        </span>
      </label>
    </section>
  );
}
