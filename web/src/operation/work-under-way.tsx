import type { Operation, OperationKind } from "@berth/protocol";
import { useState } from "react";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { forgetOperation } from "./last-operation.ts";
import { isOver, type OperationView } from "./operation-feed.ts";
import { OperationPanel } from "./operation-panel.tsx";

export interface WorkUnderWayProps {
  /** The work on the sandbox that is under way, or that ended last. */
  view: OperationView;
  /** The kinds of work whose failure is told after its end. */
  failures: readonly OperationKind[];
}

/** Work on a sandbox while it lasts, step by step; and after its end, until that was seen, why it failed and what to do. */
export function WorkUnderWay({ view, failures }: WorkUnderWayProps) {
  const [seen, setSeen] = useState<string | undefined>(undefined);
  const { operation } = view;
  if (!operation || operation.id === seen) return null;
  const failed = operation.state === "failed" && failures.includes(operation.kind);
  if (isOver(operation) && !failed) return null;
  const dismiss = ({ id, sandboxId }: Operation) => {
    setSeen(id);
    if (sandboxId !== null) forgetOperation(sandboxId);
  };
  return (
    <>
      {failed && operation.error && (
        <FailureNote failure={operation.error}>
          <Button onClick={() => dismiss(operation)}>Dismiss</Button>
        </FailureNote>
      )}
      <OperationPanel view={view} />
    </>
  );
}
