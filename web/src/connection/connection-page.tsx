import { type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { Link } from "../app/link.tsx";
import { navigate } from "../app/navigation.ts";
import { connectionPath } from "../app/route.ts";
import { FailureNote } from "../ui/failure-note.tsx";
import { AddressStep } from "./address-step.tsx";
import { CertificateStep } from "./certificate-step.tsx";
import { ChecksStep } from "./checks-step.tsx";
import "./connection.css";
import {
  type ConnectionStep,
  connectionSteps,
  type Draft,
  emptyDraft,
  furthestStep,
  keepDraft,
  loadDraft,
} from "./draft.ts";
import { PresentConnection } from "./present-connection.tsx";
import { SandboxStep } from "./sandbox-step.tsx";
import { Stepper } from "./stepper.tsx";
import { TemplateStep } from "./template-step.tsx";
import { TokenStep } from "./token-step.tsx";
import { useConnection } from "./use-connection.ts";

/** What every step gets. */
export interface StepProps {
  draft: Draft;
  onChange: (change: Partial<Draft>) => void;
  /** Goes to another step. */
  onGo: (step: ConnectionStep) => void;
}

/** The connection to Proxmox: which one is used, and the set-up of another, step by step. */
export function ConnectionPage({ step }: { step: ConnectionStep | undefined }) {
  const { connection, failure, reload } = useConnection();
  const [draft, setDraft] = useState<Draft>(() => loadDraft(sessionStorage));
  const onChange = useCallback((change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change })), []);
  useEffect(() => keepDraft(sessionStorage, draft), [draft]);
  const onMoved = async () => {
    setDraft(emptyDraft);
    await reload();
  };
  const shown = allowedStep(step, draft);
  useEffect(() => {
    // An address that was kept, or one from before a reload that has lost the secret.
    if (step !== undefined && step !== shown) navigate(connectionPath(shown), { replace: true });
  }, [step, shown]);
  const props = { draft, onChange, onGo: (next: ConnectionStep) => navigate(connectionPath(next)) };
  return (
    <main className="page connection-page">
      <header className="page-head">
        <h1>{shown === undefined ? "Proxmox" : "Connect your Proxmox"}</h1>
        {shown !== undefined && !isAfterwards(shown) && (
          <Link href={connectionPath()} className="page-action">
            Cancel
          </Link>
        )}
      </header>
      {failure && <FailureNote failure={failure} />}
      {!connection && !failure && <div className="skeleton row-skeleton" aria-busy="true" />}
      {connection && shown === undefined && (
        <PresentConnection connection={connection} onMoved={() => void onMoved()} />
      )}
      {connection && shown !== undefined && connection.source === "environment" && (
        <PresentConnection connection={connection} onMoved={() => {}} />
      )}
      {connection && shown !== undefined && connection.source !== "environment" && (
        <>
          <Stepper step={shown} furthest={isAfterwards(shown) ? shown : furthestStep(draft)} />
          <StepFrame key={shown}>
            {shown === "address" && <AddressStep {...props} />}
            {shown === "certificate" && <CertificateStep {...props} />}
            {shown === "token" && <TokenStep {...props} />}
            {shown === "checks" && <ChecksStep {...props} present={connection} onMoved={onMoved} />}
            {shown === "template" && <TemplateStep onGo={props.onGo} />}
            {shown === "sandbox" && <SandboxStep />}
          </StepFrame>
        </>
      )}
    </main>
  );
}

/** A step's content; who comes to it by keyboard begins at its top. */
function StepFrame({ children }: { children: ReactNode }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!ref.current?.contains(document.activeElement)) ref.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, []);
  return (
    <div className="connection-step" ref={ref} tabIndex={-1}>
      {children}
    </div>
  );
}

/** A step that what was entered does not allow yet gives way to the one that is missing. */
function allowedStep(step: ConnectionStep | undefined, draft: Draft): ConnectionStep | undefined {
  if (step === undefined || isAfterwards(step)) return step;
  const furthest = furthestStep(draft);
  return connectionSteps.indexOf(step) <= connectionSteps.indexOf(furthest) ? step : furthest;
}

/** Whether a step is done on the Proxmox that is used, once the connection is saved. */
function isAfterwards(step: ConnectionStep): boolean {
  return step === "template" || step === "sandbox";
}
