import type { OperationKind } from "@berth/protocol";
import { FailureNote } from "../ui/failure-note.tsx";
import { isOver, type OperationView } from "./operation-feed.ts";
import { OperationPanel } from "./operation-panel.tsx";

export interface WorkUnderWayProps {
  /** The work on the sandbox that is under way, or that ended last. */
  view: OperationView;
  /** The kinds of work whose failure is told after its end. */
  failures: readonly OperationKind[];
}

/** Work on a sandbox while it lasts, step by step; and after its end why it failed, and what to do. */
export function WorkUnderWay({ view, failures }: WorkUnderWayProps) {
  const { operation } = view;
  if (!operation) return null;
  const failed = operation.state === "failed" && failures.includes(operation.kind);
  if (isOver(operation) && !failed) return null;
  return (
    <>
      {failed && operation.error && <FailureNote failure={operation.error} />}
      <OperationPanel view={view} />
    </>
  );
}
