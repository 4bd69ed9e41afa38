import type { Certificate } from "@berth/protocol";
import type { FormEvent } from "react";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import "../doctor/doctor.css";
import type { StepProps } from "./connection-page.tsx";
import { areVouchedFor } from "./draft.ts";
import { Fingerprint } from "./fingerprint.tsx";

/** Of the certificate that pveproxy shows: its own where somebody has put one there, and the node's otherwise. */
const compareCommand =
  "openssl x509 -noout -fingerprint -sha256 -in /etc/pve/local/$([ -e /etc/pve/local/pveproxy-ssl.pem ] && echo pveproxy || echo pve)-ssl.pem";

/** Shows each certificate, and has somebody say that it is the right one. */
export function CertificateStep({ draft, onChange, onGo }: StepProps) {
  const { certificates, confirmed } = draft;
  const vouched = areVouchedFor(certificates);
  const many = certificates.length > 1;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (vouched || confirmed) onGo("token");
  };
  return (
    <form className="form" onSubmit={submit}>
      <h2>{many ? "Are these your nodes?" : "Is this your Proxmox?"}</h2>
      {certificates.map((certificate) => (
        <CertificateCard key={certificate.address} certificate={certificate} />
      ))}
      {vouched ? (
        <p>
          An authority that this machine trusts vouches for {many ? "each of them" : "it"}. Berth asks for that at every
          connection, so a renewed certificate needs nothing from you.
        </p>
      ) : (
        <Compare many={many} confirmed={confirmed} onConfirm={(value) => onChange({ confirmed: value })} />
      )}
      <div className="step-actions">
        <Button onClick={() => onGo("address")}>Back</Button>
        <Button look="primary" type="submit" disabled={!vouched && !confirmed}>
          Continue
        </Button>
      </div>
    </form>
  );
}

function Compare({
  many,
  confirmed,
  onConfirm,
}: {
  many: boolean;
  confirmed: boolean;
  onConfirm: (to: boolean) => void;
}) {
  return (
    <>
      <div className="compare">
        <p>
          Nobody vouches for {many ? "them" : "it"}, which is usual: a Proxmox signs its own. Compare the fingerprint on{" "}
          {many ? "each node" : "the host"} itself, in its shell, before you give Berth a token for it:
        </p>
        <div className="cure">
          <pre className="cure-lines mono">{compareCommand}</pre>
          <CopyButton text={compareCommand} />
        </div>
        <p className="quiet">Or in its console: the node, System, Certificates.</p>
      </div>
      <label className="confirm-line">
        <input type="checkbox" checked={confirmed} onChange={(event) => onConfirm(event.target.checked)} />
        <span>
          I have compared {many ? "them, and the fingerprints are the same" : "it, and the fingerprint is the same"}.
          Berth believes no other from now on.
        </span>
      </label>
    </>
  );
}

function CertificateCard({ certificate }: { certificate: Certificate }) {
  const { address, fingerprint, subject, issuer, validFrom, validTo } = certificate;
  const now = Date.now();
  const stale = now < Date.parse(validFrom) || now > Date.parse(validTo);
  return (
    <section className="certificate" aria-label={`Certificate of ${address}`}>
      <p className="mono certificate-address">{address}</p>
      <p className="quiet">SHA-256 fingerprint</p>
      <Fingerprint fingerprint={fingerprint} />
      <dl className="certificate-facts">
        <dt>For</dt>
        <dd>{lined(subject)}</dd>
        <dt>Made by</dt>
        <dd>{lined(issuer)}</dd>
        <dt>Valid</dt>
        <dd data-stale={stale || undefined}>
          {dayOf(validFrom)} to {dayOf(validTo)}
          {stale && ": not now. Look at the clocks of both machines."}
        </dd>
      </dl>
    </section>
  );
}

function lined(name: string): string {
  return name.split("\n").filter(Boolean).join(", ") || "nobody named";
}

function dayOf(instant: string): string {
  return new Date(instant).toLocaleDateString(undefined, { dateStyle: "medium" });
}
