import { deleteSnapshot, ownSnapshotPrefix, type Sandbox, type Snapshot } from "@berth/protocol";
import { useState } from "react";
import { useApi } from "../api/context.tsx";
import { useNow } from "../api/use-now.ts";
import { useFollow } from "../fleet/sandbox-actions.tsx";
import { agoText } from "../operation/duration.ts";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { Menu } from "../ui/menu.tsx";
import { ForkDialog } from "./fork-dialog.tsx";
import { RollbackDialog } from "./rollback-dialog.tsx";

export interface SnapshotListProps {
  sandbox: Sandbox;
  /** The newest first. */
  snapshots: readonly Snapshot[];
}

/** What was chosen to be done with a snapshot. */
interface Chosen {
  readonly verb: "rollback" | "fork" | "delete";
  readonly snapshot: Snapshot;
}

/** A sandbox's snapshots, and what can be done with each. */
export function SnapshotList({ sandbox, snapshots }: SnapshotListProps) {
  const now = useNow(30_000);
  const [chosen, setChosen] = useState<Chosen | undefined>(undefined);
  return (
    <>
      <ul className="records">
        {snapshots.map((snapshot) => (
          <SnapshotRow
            key={snapshot.name}
            snapshot={snapshot}
            now={now}
            busy={sandbox.operationId !== null}
            onChoose={(verb) => setChosen({ verb, snapshot })}
          />
        ))}
      </ul>
      {chosen && <ChosenDialog sandbox={sandbox} chosen={chosen} onClose={() => setChosen(undefined)} />}
    </>
  );
}

interface SnapshotRowProps {
  snapshot: Snapshot;
  /** Milliseconds since the Unix epoch. */
  now: number;
  /** Other work is done with the sandbox. */
  busy: boolean;
  onChoose: (verb: Chosen["verb"]) => void;
}

function SnapshotRow({ snapshot, now, busy, onChoose }: SnapshotRowProps) {
  const { name, description, current } = snapshot;
  return (
    <li className="record snapshot" data-snapshot={name}>
      <span className="snapshot-head">
        <span className="record-name mono">{name}</span>
        {current && (
          <span className="state-badge" data-tone="good" title="What the sandbox is now descends from this snapshot">
            Last
          </span>
        )}
      </span>
      <span className="snapshot-actions">
        <Button disabled={busy} onClick={() => onChoose("rollback")}>
          Go back…
        </Button>
        <Menu
          label={`More for ${name}`}
          button={<Icon name="more" />}
          items={[
            { label: "Fork from it…", onSelect: () => onChoose("fork") },
            { label: "Delete…", danger: true, onSelect: () => onChoose("delete") },
          ]}
        />
      </span>
      <span className="snapshot-facts">
        <TakenAt snapshot={snapshot} now={now} />
      </span>
      {description !== "" && <span className="snapshot-words">{description}</span>}
    </li>
  );
}

function TakenAt({ snapshot: { name, takenAt, running }, now }: { snapshot: Snapshot; now: number }) {
  const whose = name.toLowerCase().startsWith(ownSnapshotPrefix)
    ? "taken by Berth for a copy, and removed by itself"
    : running === null
      ? "taken in Proxmox"
      : running
        ? "while it ran"
        : "while it was stopped";
  if (takenAt === null) return whose;
  return (
    <>
      <time dateTime={takenAt} title={new Date(takenAt).toLocaleString()}>
        {agoText(now - Date.parse(takenAt))}
      </time>
      , {whose}
    </>
  );
}

interface ChosenDialogProps {
  sandbox: Sandbox;
  chosen: Chosen;
  onClose: () => void;
}

function ChosenDialog({ sandbox, chosen: { verb, snapshot }, onClose }: ChosenDialogProps) {
  const api = useApi();
  const follow = useFollow();
  switch (verb) {
    case "rollback":
      return <RollbackDialog sandbox={sandbox} snapshot={snapshot} onClose={onClose} />;
    case "fork":
      return <ForkDialog sandbox={sandbox} from={snapshot.name} onClose={onClose} />;
    case "delete":
      return (
        <ConfirmDialog
          title={`Delete the snapshot ${snapshot.name}?`}
          action="Delete it"
          onConfirm={async () => {
            const params = { id: sandbox.id, name: snapshot.name };
            follow((await api.call(deleteSnapshot, { params })).operation);
          }}
          onClose={onClose}
        >
          {sandbox.name} stays as it is; it can no longer go back to what it was at this snapshot.
        </ConfirmDialog>
      );
  }
}
