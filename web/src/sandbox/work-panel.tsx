import { deleteSandbox, type Failure, type Operation, type Sandbox } from "@berth/protocol";
import { useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { navigate } from "../app/navigation.ts";
import { sandboxPath } from "../app/route.ts";
import { useFleet } from "../fleet/context.tsx";
import { DeleteDialog } from "../fleet/delete-dialog.tsx";
import { possibleVerbs, useFollow, usePower } from "../fleet/sandbox-actions.tsx";
import { isOver, type OperationView } from "../operation/operation-feed.ts";
import { OperationPanel } from "../operation/operation-panel.tsx";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { recreate } from "./recreate.ts";

export interface WorkPanelProps {
  sandbox: Sandbox;
  /** The work on it that is under way, or that ended last. */
  view: OperationView | undefined;
}

/** What is shown of a sandbox that does not run: the work on it step by step, why it failed, how to go on. */
export function WorkPanel({ sandbox, view }: WorkPanelProps) {
  const operation = view?.operation;
  const working = operation !== undefined && !isOver(operation);
  const failure = working ? null : (sandbox.error ?? operation?.error ?? null);
  const failed = sandbox.state === "failed" || operation?.state === "failed";
  return (
    <main className="page work">
      {view && !view.missing && <OperationPanel view={view} />}
      {failed && !working && <Failed sandbox={sandbox} failure={failure} operation={operation} />}
      {!failed && <Resting sandbox={sandbox} working={working} />}
    </main>
  );
}

interface FailedProps {
  sandbox: Sandbox;
  failure: Failure | null;
  operation: Operation | undefined;
}

function Failed({ sandbox, failure, operation }: FailedProps) {
  const api = useApi();
  const fleet = useFleet();
  const follow = useFollow();
  const power = usePower(sandbox);
  const [asking, setAsking] = useState(false);
  const again = useCall(async () => {
    const made = await recreate(api, sandbox, follow);
    fleet.put("sandboxes", made.sandbox);
    follow(made.operation);
    navigate(sandboxPath(made.sandbox.name), { replace: true });
  });
  const shown = again.failure ?? power.failure ?? failure ?? unknownFailure;
  const neverMade = operation?.kind === "create" || sandbox.vmid === null;
  return (
    <FailureNote failure={shown}>
      {neverMade ? (
        <Button look="primary" busy={again.pending} onClick={() => void again.run()}>
          Delete and create anew
        </Button>
      ) : (
        possibleVerbs(sandbox).includes("start") && (
          <Button look="primary" busy={power.pending} onClick={() => void power.run("start")}>
            Start
          </Button>
        )
      )}
      <Button onClick={() => setAsking(true)}>Delete…</Button>
      {asking && (
        <DeleteDialog
          sandbox={sandbox}
          onClose={() => setAsking(false)}
          onDelete={async (discard) => {
            const input = { params: { id: sandbox.id }, query: { discard } };
            follow((await api.call(deleteSandbox, input)).operation);
          }}
        />
      )}
    </FailureNote>
  );
}

const unknownFailure: Failure = {
  code: "internal",
  message: "It failed, and did not say why.",
  hint: "The controller’s log has more.",
};

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
