import {
  type Client,
  deleteSandbox,
  type Failure,
  type Operation,
  type Sandbox,
  startSandbox,
  stopSandbox,
} from "@berth/protocol";
import { useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { Link } from "../app/link.tsx";
import { navigate } from "../app/navigation.ts";
import { sandboxPath } from "../app/route.ts";
import { useFleet, useFleetState } from "../fleet/context.tsx";
import { DeleteDialog } from "../fleet/delete-dialog.tsx";
import { possibleVerbs, useFollow, usePower } from "../fleet/sandbox-actions.tsx";
import { endOf } from "../operation/end-of.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { recreate } from "./recreate.ts";

export interface FailedWorkProps {
  sandbox: Sandbox;
  failure: Failure | null;
  /** The work that has failed, where that is known. */
  operation: Operation | undefined;
}

/** Why a sandbox has failed, and the ways to go on. */
export function FailedWork({ sandbox, failure, operation }: FailedWorkProps) {
  const power = usePower(sandbox);
  const again = useRecreate(sandbox);
  const source = useFleetState().sandboxes.get(sandbox.forkedFrom ?? "");
  const copy = useStopAndCopy(sandbox, source);
  const code = failure?.code;
  const shown = copy.failure ?? again.failure ?? power.failure ?? failure ?? unknownFailure;
  const isCopy = sandbox.forkedFrom !== null && sandbox.vmid === null;
  const neverMade = !isCopy && (operation?.kind === "create" || sandbox.vmid === null);
  const blocked = code === "fork_needs_stop" && source?.state === "ready";
  return (
    <FailureNote failure={shown}>
      {blocked && (
        <>
          <Button look="primary" busy={copy.pending} onClick={() => void copy.run()}>
            Stop {source.name} and copy it
          </Button>
          <Link className="button button-plain" href={sandboxPath(source.name)}>
            Look at {source.name}
          </Link>
        </>
      )}
      {!neverMade && !blocked && possibleVerbs(sandbox).includes("start") && (
        <Button look="primary" busy={power.pending} onClick={() => void power.run("start")}>
          {isCopy ? "Try again" : "Start"}
        </Button>
      )}
      {(neverMade || code === "container_missing") && (
        <Button look={neverMade ? "primary" : "plain"} busy={again.pending} onClick={() => void again.run()}>
          Delete and create anew
        </Button>
      )}
      <DeleteButton sandbox={sandbox} />
    </FailureNote>
  );
}

const unknownFailure: Failure = {
  code: "internal",
  message: "It failed, and did not say why.",
  hint: "The controller’s log has more.",
};

function useRecreate(sandbox: Sandbox) {
  const api = useApi();
  const fleet = useFleet();
  const follow = useFollow();
  return useCall(async () => {
    const made = await recreate(api, sandbox, follow);
    fleet.put("sandboxes", made.sandbox);
    follow(made.operation);
    navigate(sandboxPath(made.sandbox.name), { replace: true });
  });
}

/** Stops what is to be copied, and copies it. It stays stopped: whoever needs it starts it when the copy is made. */
function useStopAndCopy(copy: Sandbox, source: Sandbox | undefined) {
  const api = useApi();
  const fleet = useFleet();
  const follow = useFollow();
  return useCall(async () => {
    if (source) await stopped(api, source, (operation) => fleet.put("operations", operation));
    follow((await api.call(startSandbox, { params: { id: copy.id } })).operation);
  });
}

async function stopped(api: Client, { id }: Sandbox, onLook: (operation: Operation) => void): Promise<void> {
  const { operation } = await api.call(stopSandbox, { params: { id } });
  await endOf(api, operation, onLook);
}

function DeleteButton({ sandbox }: { sandbox: Sandbox }) {
  const api = useApi();
  const follow = useFollow();
  const [asking, setAsking] = useState(false);
  return (
    <>
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
    </>
  );
}
