import type { Orphan } from "@berth/protocol";
import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { FailureNote } from "../ui/failure-note.tsx";

export interface AdoptDialogProps {
  orphans: readonly Orphan[];
  /** Rejects if it could not be done: the dialog then says why, and stays. */
  onAdopt: () => Promise<void>;
  onClose: () => void;
}

/** Asks before containers become sandboxes again, and says what comes back with them and what does not. */
export function AdoptDialog({ orphans, onAdopt, onClose }: AdoptDialogProps) {
  const call = useCall(onAdopt);
  const [first] = orphans;
  const one = orphans.length === 1;
  const it = one ? "It" : "They";
  return (
    <Dialog
      title={one ? `Adopt ${first?.name ?? first?.vmid}` : `Adopt ${orphans.length} containers`}
      onClose={onClose}
    >
      <p>
        {it} {one ? "becomes a sandbox" : "become sandboxes"} again, of the owner that {one ? "it names" : "they name"}{" "}
        if there is such a user, and yours otherwise. Nothing is started, stopped or removed; the agent of what runs
        gets a new secret over SSH.
      </p>
      <ul className="losses">
        <li>
          Comes back: name, size, VLAN, environment variables, terminals with what runs in them, everything on the disk.
        </li>
        <li>Is lost: the project that the workspace was a clone of, shares, when it is to sleep.</li>
      </ul>
      {call.failure && <FailureNote failure={call.failure} />}
      <div className="dialog-actions">
        <Button onClick={onClose}>Cancel</Button>
        <Button
          look="primary"
          busy={call.pending}
          onClick={async () => {
            if (await call.run()) onClose();
          }}
        >
          {one ? "Adopt" : `Adopt ${orphans.length}`}
        </Button>
      </div>
    </Dialog>
  );
}
