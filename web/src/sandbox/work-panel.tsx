import type { OperationKind, Sandbox } from "@berth/protocol";
import { usePower } from "../fleet/sandbox-actions.tsx";
import { isOver, type OperationView } from "../operation/operation-feed.ts";
import { OperationPanel } from "../operation/operation-panel.tsx";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { FailedWork } from "./failed-work.tsx";

export interface WorkPanelProps {
  sandbox: Sandbox;
  /** The work on it that is under way, or that ended last. */
  view: OperationView | undefined;
}

/** Work whose failure leaves a sandbox what it was. */
const asides: readonly OperationKind[] = ["change", "snapshot", "delete_snapshot", "rollback"];

/** What is shown of a sandbox that does not run: the work on it step by step, why it failed, how to go on. */
export function WorkPanel({ sandbox, view }: WorkPanelProps) {
  const operation = view?.operation;
  const working = operation !== undefined && !isOver(operation);
  const failure = working ? null : (sandbox.error ?? operation?.error ?? null);
  const failed = sandbox.state === "failed" || (operation?.state === "failed" && !asides.includes(operation.kind));
  return (
    <main className="page work">
      {view && !view.missing && <OperationPanel view={view} />}
      {failed && !working && <FailedWork sandbox={sandbox} failure={failure} operation={operation} />}
      {!failed && <Resting sandbox={sandbox} working={working} />}
    </main>
  );
}

function Resting({ sandbox, working }: { sandbox: Sandbox; working: boolean }) {
  const power = usePower(sandbox);
  if (working || (sandbox.state !== "stopped" && sandbox.state !== "asleep")) return null;
  const asleep = sandbox.state === "asleep";
  return (
    <section className="empty">
      <h2>{asleep ? "This sandbox is asleep" : "This sandbox is stopped"}</h2>
      <p>
        {asleep ? "Whatever uses it wakes it, and " : "Its files are kept. When it starts, "}
        Claude goes on with its conversations.
      </p>
      {power.failure && <FailureNote failure={power.failure} />}
      <Button look="primary" busy={power.pending} onClick={() => void power.run(asleep ? "wake" : "start")}>
        {asleep ? "Wake" : "Start"} {sandbox.name}
      </Button>
    </section>
  );
}
