import { lookAtProxmox } from "@berth/protocol";
import { type FormEvent, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Field } from "../ui/field.tsx";
import type { StepProps } from "./connection-page.tsx";
import { addressesOf, wrongAddresses } from "./draft.ts";

/** Asks where Proxmox is, and looks at the certificate that is shown there. */
export function AddressStep({ draft, onChange, onGo }: StepProps) {
  const api = useApi();
  const [tried, setTried] = useState(false);
  const look = useCall(async () => {
    const urls = addressesOf(draft.addresses);
    const certificates = await Promise.all(urls.map((url) => api.call(lookAtProxmox, { body: { url } })));
    const before = draft.certificates.map(({ fingerprint }) => fingerprint);
    const same = certificates.every(({ fingerprint }, index) => fingerprint === before[index]);
    onChange({ certificates, confirmed: same && draft.confirmed });
    onGo("certificate");
  });
  const wrong = wrongAddresses(draft.addresses);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (wrong === undefined) void look.run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <h2>Where is your Proxmox?</h2>
      <Field
        label="Address"
        className="mono-input"
        value={draft.addresses}
        placeholder="https://192.168.1.2:8006"
        autoFocus
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        inputMode="url"
        maxLength={4096}
        wrong={tried ? wrong : undefined}
        note="As in your browser; port 8006 where you name none. Of a cluster name several nodes, with commas between: any of them serves while another is down."
        // What was seen belongs to the address that it was seen at.
        onChange={(event) => onChange({ addresses: event.target.value, certificates: [], confirmed: false })}
      />
      <p className="quiet">Berth looks at the certificate there, and sends nothing else yet.</p>
      {look.failure && <FailureNote failure={look.failure} />}
      <div className="step-actions">
        <Button look="primary" type="submit" busy={look.pending}>
          {look.pending ? "Looking…" : "Look at the certificate"}
        </Button>
      </div>
    </form>
  );
}
