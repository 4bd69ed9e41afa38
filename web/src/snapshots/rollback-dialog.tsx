import { randomKey, rollbackSnapshot, type Sandbox, type Snapshot } from "@berth/protocol";
import { useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { useTerminals } from "../fleet/context.tsx";
import { useFollow } from "../fleet/sandbox-actions.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";

export interface RollbackDialogProps {
  sandbox: Sandbox;
  snapshot: Snapshot;
  onClose: () => void;
}

/** Asks before a sandbox goes back to a snapshot, and names what is lost by it. */
export function RollbackDialog({ sandbox, snapshot, onClose }: RollbackDialogProps) {
  const api = useApi();
  const follow = useFollow();
  const [idempotencyKey] = useState(() => `rollback-${randomKey()}`);
  const back = useCall(async () => {
    const params = { id: sandbox.id, name: snapshot.name };
    follow((await api.call(rollbackSnapshot, { params }, { idempotencyKey })).operation);
    onClose();
  });
  const running = useTerminals(sandbox.id).filter((terminal) => terminal.state !== "exited").length;
  const since = snapshot.takenAt === null ? "then" : new Date(snapshot.takenAt).toLocaleString();
  return (
    <Dialog title={`Go back to ${snapshot.name}?`} onClose={onClose}>
      <p>{sandbox.name} will be what it was at this snapshot. Lost is what came after it:</p>
      <ul className="losses">
        <li>
          every change to its files since {since}, commits that were not pushed among them; take a snapshot of now first
          to keep them
        </li>
        <li>what was said in its conversations since then</li>
        {sandbox.state === "ready" && (
          <li>
            {running === 0
              ? "what runs in it"
              : running === 1
                ? "one running terminal"
                : `${running} running terminals`}
            : it is stopped, and started again
          </li>
        )}
      </ul>
      <p className="quiet">Its name, size, keys and other settings stay as they are now.</p>
      {back.failure && <FailureNote failure={back.failure} />}
      <div className="dialog-actions">
        <Button onClick={onClose} autoFocus>
          Cancel
        </Button>
        <Button look="danger" busy={back.pending} onClick={() => void back.run()}>
          Go back to {snapshot.name}
        </Button>
      </div>
    </Dialog>
  );
}
