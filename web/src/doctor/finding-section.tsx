import type { DoctorCheck } from "@berth/protocol";
import { useId } from "react";
import { Link } from "../app/link.tsx";
import { clusterPath, templatePath } from "../app/route.ts";
import { Icon } from "../ui/icon.tsx";
import { Cure } from "./cure.tsx";
import { type FindingGroup, kindOf, type Problem } from "./findings.ts";

const badges: Record<DoctorCheck["state"], readonly [word: string, tone: string]> = {
  failed: ["Failed", "bad"],
  warning: ["Warning", "warn"],
  unknown: ["Not seen", "rest"],
  ok: ["Well", "good"],
};

export interface FindingSectionProps {
  group: FindingGroup;
  /** Lead to the pages that mend it, too. Those are about the Proxmox that is used. */
  links?: boolean;
}

/** One part of what Berth needs: what is amiss, open, and what is well, folded. */
export function FindingSection({ group, links = true }: FindingSectionProps) {
  const { title, problems, well } = group;
  const id = useId();
  return (
    <section className="findings" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {problems.map((problem) => (
        <ProblemCard key={problem.checks.map((check) => check.id).join()} problem={problem} links={links} />
      ))}
      {well.length > 0 && <Well checks={well} />}
    </section>
  );
}

function ProblemCard({ problem: { checks, fix }, links }: { problem: Problem; links: boolean }) {
  return (
    <div className="problem" data-state={checks[0]?.state}>
      <ul className="problem-checks">
        {checks.map((check) => (
          <li key={check.id} className="finding" data-check={check.id}>
            <CheckBadge state={check.state} />
            <p className="finding-words">
              <strong>{check.title}</strong> <span className="quiet">{check.detail}</span>
            </p>
          </li>
        ))}
      </ul>
      {fix !== null && <Cure fix={fix} />}
      {links && <Elsewhere checks={checks} />}
    </div>
  );
}

/** Where in the console the same can be done. */
function Elsewhere({ checks }: { checks: readonly DoctorCheck[] }) {
  const kinds = checks.map(({ id }) => kindOf(id));
  if (kinds.includes("template")) return <Link href={templatePath}>Build it here</Link>;
  if (kinds.includes("orphans")) return <Link href={clusterPath}>Adopt them here</Link>;
  return null;
}

function Well({ checks }: { checks: readonly DoctorCheck[] }) {
  return (
    <details className="well">
      <summary>
        <Icon name="check" /> {checks.length === 1 ? "1 check is well" : `${checks.length} checks are well`}
      </summary>
      <ul>
        {checks.map((check) => (
          <li key={check.id} data-check={check.id}>
            <strong>{check.title}</strong> <span className="quiet">{check.detail}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function CheckBadge({ state }: { state: DoctorCheck["state"] }) {
  const [word, tone] = badges[state];
  return (
    <span className="state-badge" data-tone={tone}>
      {word}
    </span>
  );
}
