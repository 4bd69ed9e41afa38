import type { OperationKind, Sandbox } from "@berth/protocol";
import { useState } from "react";
import type { OperationView } from "../operation/operation-feed.ts";
import { WorkUnderWay } from "../operation/work-under-way.tsx";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { Icon } from "../ui/icon.tsx";
import { ForkDialog } from "./fork-dialog.tsx";
import { SnapshotList } from "./snapshot-list.tsx";
import "./snapshots.css";
import { TakeDialog } from "./take-dialog.tsx";
import { useSnapshots } from "./use-snapshots.ts";

/** Work whose failure is told here until something else is done. */
const diskWork: readonly OperationKind[] = ["snapshot", "delete_snapshot", "rollback"];

export interface SnapshotsPageProps {
  sandbox: Sandbox;
  /** The work on it that is under way, or that ended last. */
  work: OperationView;
}

/** A sandbox's snapshots: taken, gone back to, deleted, and what copies are made of. */
export function SnapshotsPage({ sandbox, work }: SnapshotsPageProps) {
  const { items, failure, reload } = useSnapshots(sandbox);
  const [asking, setAsking] = useState<"take" | "fork" | undefined>(undefined);
  const made = sandbox.vmid !== null && sandbox.state !== "provisioning" && sandbox.state !== "destroying";
  const busy = sandbox.operationId !== null;
  return (
    <main className="page work">
      <header className="page-head snapshots-head">
        <h2>Snapshots</h2>
        {items && items.length > 0 && <span className="count mono">{items.length}</span>}
        <span className="page-action snapshots-actions">
          <Button disabled={!made} onClick={() => setAsking("fork")}>
            Fork…
          </Button>
          <Button look="primary" disabled={!made || busy} onClick={() => setAsking("take")}>
            <Icon name="plus" /> Take snapshot
          </Button>
        </span>
      </header>
      <WorkUnderWay view={work} failures={diskWork} />
      {failure && (
        <FailureNote failure={failure}>
          <Button onClick={reload}>Try again</Button>
        </FailureNote>
      )}
      {made && !items && !failure && <div className="skeleton row-skeleton" aria-busy="true" />}
      {!made && <p className="quiet">Once the sandbox is made, snapshots of it can be taken.</p>}
      {made && items?.length === 0 && <NoSnapshots />}
      {items && items.length > 0 && <SnapshotList sandbox={sandbox} snapshots={items} />}
      {asking === "take" && (
        <TakeDialog
          sandbox={sandbox}
          taken={new Set(items?.map(({ name }) => name))}
          onClose={() => setAsking(undefined)}
        />
      )}
      {asking === "fork" && <ForkDialog sandbox={sandbox} onClose={() => setAsking(undefined)} />}
    </main>
  );
}

function NoSnapshots() {
  return (
    <section className="no-snapshots">
      <p>No snapshots yet.</p>
      <p className="quiet">
        A snapshot keeps the disk as it is now, in seconds and without a stop. Take one before something risky: if it
        goes wrong, you go back to it; and you can fork another sandbox from it at any time.
      </p>
    </section>
  );
}
