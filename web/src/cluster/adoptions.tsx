import { Link } from "../app/link.tsx";
import { sandboxPath } from "../app/route.ts";
import { useFleetState } from "../fleet/context.tsx";
import { isOver } from "../operation/operation-feed.ts";
import { stepTitle } from "../operation/step-names.ts";
import { FailureNote } from "../ui/failure-note.tsx";
import type { Adopted } from "./orphans.tsx";

/** How those fare that were adopted here. */
export function Adoptions({ adopted, userId }: { adopted: readonly Adopted[]; userId: string }) {
  return (
    <ul className="records" aria-label="Adopted">
      {adopted.map((one) => (
        <AdoptionRow key={one.operation.id} adopted={one} isMine={one.sandbox.ownerId === userId} />
      ))}
    </ul>
  );
}

function AdoptionRow({ adopted: { sandbox, operation: begun }, isMine }: { adopted: Adopted; isMine: boolean }) {
  const { operations, sandboxes } = useFleetState();
  const operation = operations.get(begun.id) ?? begun;
  const name = sandboxes.get(sandbox.id)?.name ?? sandbox.name;
  const running = operation.steps.find(({ state }) => state === "running");
  return (
    <li className="record" data-adopted={name} data-state={operation.state}>
      <span className="record-name">
        {isMine ? (
          <Link className="mono" href={sandboxPath(name)}>
            {name}
          </Link>
        ) : (
          <span className="mono">{name}</span>
        )}
      </span>
      <span className="record-facts" role="status">
        {!isMine && "It is its owner’s again, who alone sees how it fares."}
        {isMine && !isOver(operation) && (
          <>
            <span className="spinner" aria-hidden="true" />{" "}
            {running ? (running.detail ?? stepTitle(running.name)) : "About to begin"}
          </>
        )}
        {isMine && operation.state === "succeeded" && "Adopted"}
        {isMine && operation.state === "cancelled" && "Cancelled"}
      </span>
      {isMine && operation.error && <FailureNote failure={operation.error} />}
    </li>
  );
}
