import { type Connection, type Examination, examineConnection, saveConnection } from "@berth/protocol";
import { type FormEvent, useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { useDoctor } from "../doctor/context.tsx";
import { verdict } from "../doctor/doctor-page.tsx";
import "../doctor/doctor.css";
import { FindingSection } from "../doctor/finding-section.tsx";
import { countsOf, findingsOf } from "../doctor/findings.ts";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { ChoiceFields } from "./choice-fields.tsx";
import type { StepProps } from "./connection-page.tsx";
import { proposalOf } from "./draft.ts";
import { untilMoved } from "./use-connection.ts";

export interface ChecksStepProps extends StepProps {
  present: Connection;
  onMoved: () => Promise<void>;
}

/** Tries the connection, shows what is amiss with what mends it, and saves it when nothing is in the way. */
export function ChecksStep({ draft, onChange, onGo, present, onMoved }: ChecksStepProps) {
  const api = useApi();
  const doctor = useDoctor();
  const [found, setFound] = useState<{ of: string; examination: Examination } | undefined>(undefined);
  const proposal = proposalOf(draft);
  const proposed = JSON.stringify(proposal);
  const check = useCall(async () => {
    if (proposal) setFound({ of: proposed, examination: await api.call(examineConnection, { body: proposal }) });
  });
  const save = useCall(async () => {
    if (!proposal) return;
    await api.call(saveConnection, { body: proposal });
    await untilMoved(api, present);
    onGo("template");
    await onMoved();
    void doctor.look();
  });
  const { run } = check;
  useEffect(() => void run(), [run]);
  const examination = found?.examination;
  const current = found?.of === proposed;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void check.run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <h2>Does Berth have all that it needs?</h2>
      <ChoiceFields draft={draft} onChange={onChange} examination={examination} />
      {check.failure && <FailureNote failure={check.failure} />}
      <p className="check-verdict" role="status">
        {check.pending || !examination ? "Checking…" : current ? wordsOf(examination) : "Changed since the last check."}
      </p>
      {examination?.grants != null && (
        <div className="all-grants">
          <p>All lines that give the token what it lacks, for a shell of root on a Proxmox host:</p>
          <CopyButton text={examination.grants} label="Copy all lines" />
        </div>
      )}
      {examination && (
        <div className="check-findings" aria-busy={check.pending}>
          {findingsOf(examination.checks).map((group) => (
            <FindingSection key={group.title} group={group} links={false} />
          ))}
        </div>
      )}
      {save.failure && <FailureNote failure={save.failure} />}
      {save.pending && (
        <p className="step-wait" role="status">
          <span className="spinner" aria-hidden="true" /> Saved and starting again with it: a few seconds…
        </p>
      )}
      <div className="step-actions">
        <Button onClick={() => onGo("token")} disabled={save.pending}>
          Back
        </Button>
        <Button type="submit" busy={check.pending} disabled={save.pending || !proposal}>
          Check again
        </Button>
        <Button
          look="primary"
          busy={save.pending}
          disabled={!current || !examination?.usable || check.pending}
          onClick={() => void save.run()}
        >
          Use this Proxmox
        </Button>
      </div>
    </form>
  );
}

function wordsOf({ checks, usable }: Examination): string {
  const words = verdict(countsOf(checks));
  return usable ? `${words} It can be used.` : `${words} Mend what failed, then check again.`;
}
