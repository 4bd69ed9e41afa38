import type { Sandbox } from "@berth/protocol";
import { Link } from "../app/link.tsx";
import { sandboxPath } from "../app/route.ts";
import { ageText } from "../operation/duration.ts";
import { isOver } from "../operation/operation-feed.ts";
import { stepTitle } from "../operation/step-names.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { AgentUpdateFact } from "./agent-update.tsx";
import { CareFact } from "./care-fact.tsx";
import { useFleetState } from "./context.tsx";
import { SandboxMenu, usePower } from "./sandbox-actions.tsx";
import { sizeText } from "./sizes.ts";
import { StateBadge } from "./state-badge.tsx";
import { UseFact } from "./use-fact.tsx";

/** One sandbox in the fleet's list. */
export function SandboxRow({ sandbox, now }: { sandbox: Sandbox; now: number }) {
  const power = usePower(sandbox);
  const failure = power.failure ?? sandbox.error;
  const verb = sandbox.state === "stopped" ? "start" : sandbox.state === "asleep" ? "wake" : undefined;
  return (
    <li className="sandbox-row" data-sandbox={sandbox.name} data-state={sandbox.state}>
      <div className="sandbox-line">
        <StateBadge state={sandbox.state} />
        <Link className="sandbox-name mono" href={sandboxPath(sandbox.name)}>
          {sandbox.name}
        </Link>
        <span className="sandbox-facts">
          <Facts sandbox={sandbox} now={now} />
        </span>
        <span className="sandbox-actions">
          {verb && (
            <Button busy={power.pending} onClick={() => void power.run(verb)}>
              {verb === "start" ? "Start" : "Wake"}
            </Button>
          )}
          <SandboxMenu sandbox={sandbox} power={power} />
        </span>
      </div>
      {failure && <FailureNote failure={failure} />}
    </li>
  );
}

function Facts({ sandbox, now }: { sandbox: Sandbox; now: number }) {
  const { operations } = useFleetState();
  const operation = sandbox.operationId === null ? undefined : operations.get(sandbox.operationId);
  const step = operation && !isOver(operation) ? operation.steps.find(({ state }) => state === "running") : undefined;
  const created = new Date(sandbox.createdAt);
  return (
    <>
      {step && <span className="fact-step">{step.detail ?? stepTitle(step.name, operation?.kind)}</span>}
      <AgentUpdateFact sandbox={sandbox} />
      <CareFact sandbox={sandbox} />
      {sandbox.state === "ready" && !sandbox.agent.connected && <span className="fact-warn">agent away</span>}
      <UseFact sandbox={sandbox} now={now} />
      <span className="fact-size">{sizeText(sandbox)}</span>
      <span className="fact-place mono">
        {sandbox.node === null ? "not placed" : `${sandbox.node}${sandbox.vmid === null ? "" : `/${sandbox.vmid}`}`}
      </span>
      <time className="fact-age" dateTime={sandbox.createdAt} title={created.toLocaleString()}>
        {ageText(now - created.getTime())}
      </time>
    </>
  );
}
