import { useEffect } from "react";
import { useNow } from "../api/use-now.ts";
import { ageText } from "../operation/duration.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { useCheckup, useDoctor } from "./context.tsx";
import "./doctor.css";
import { FindingSection } from "./finding-section.tsx";
import { countsOf, findingsOf } from "./findings.ts";

/** A look that is younger is not repeated when the page is opened, in milliseconds. */
const freshMs = 15_000;

/** Everything that Berth needs, how it is, and what mends it. */
export function DoctorPage() {
  const doctor = useDoctor();
  const { checks, failure, looking, at } = useCheckup();
  const now = useNow(30_000);
  useEffect(() => void doctor.lookIfOlder(freshMs), [doctor]);
  return (
    <main className="page doctor-page">
      <header className="page-head">
        <h1>Doctor</h1>
        {at !== undefined && !looking && <span className="count">{agoText(now - at)}</span>}
        <Button className="page-action" busy={looking} onClick={() => void doctor.look()}>
          {looking ? "Checking…" : "Check again"}
        </Button>
      </header>
      {failure && <FailureNote failure={failure} />}
      {!checks && !failure && <div className="skeleton row-skeleton" aria-busy="true" />}
      {checks && (
        <p className="doctor-verdict" role="status">
          {verdict(countsOf(checks))}
        </p>
      )}
      {checks && findingsOf(checks).map((group) => <FindingSection key={group.title} group={group} />)}
    </main>
  );
}

/** `2 failed, 1 warning, 30 well` */
export function verdict({ failed, warning, unknown, ok }: ReturnType<typeof countsOf>): string {
  if (failed + warning + unknown === 0) return `All is well: ${ok} checks.`;
  const parts = [
    failed > 0 ? `${failed} failed` : "",
    warning > 0 ? (warning === 1 ? "1 warning" : `${warning} warnings`) : "",
    unknown > 0 ? `${unknown} could not be looked at` : "",
    `${ok} well`,
  ];
  return `${parts.filter(Boolean).join(", ")}.`;
}

function agoText(ms: number): string {
  const age = ageText(ms);
  return age === "just now" ? "checked just now" : `checked ${age} ago`;
}
