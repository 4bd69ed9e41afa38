import { Link } from "../app/link.tsx";
import { connectionPath } from "../app/route.ts";
import { Icon } from "../ui/icon.tsx";
import { type ConnectionStep, connectionSteps } from "./draft.ts";

const titles: Record<ConnectionStep, string> = {
  address: "Address",
  certificate: "Certificate",
  token: "API token",
  checks: "Checks",
  template: "Template",
  sandbox: "First sandbox",
};

/** Where one is among the steps; those that may be gone to are links. */
export function Stepper({ step, furthest }: { step: ConnectionStep; furthest: ConnectionStep }) {
  const at = connectionSteps.indexOf(step);
  const limit = connectionSteps.indexOf(furthest);
  // What was saved cannot be gone back to.
  const first = at >= connectionSteps.indexOf("template") ? connectionSteps.indexOf("template") : 0;
  return (
    <nav aria-label="Steps">
      <ol className="stepper">
        {connectionSteps.map((one, index) => (
          <li key={one} data-state={index < at ? "done" : index === at ? "here" : "ahead"}>
            <StepMark done={index < at} number={index + 1} />
            {index !== at && index >= first && index <= limit ? (
              <Link href={connectionPath(one)}>{titles[one]}</Link>
            ) : (
              <span aria-current={index === at ? "step" : undefined}>{titles[one]}</span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

function StepMark({ done, number }: { done: boolean; number: number }) {
  return <span className="step-mark">{done ? <Icon name="check" /> : number}</span>;
}
