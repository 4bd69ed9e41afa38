import { deleteSandbox, type OperationKind, type Sandbox } from "@berth/protocol";
import { useState } from "react";
import { useApi } from "../api/context.tsx";
import { DeleteDialog } from "../fleet/delete-dialog.tsx";
import { useFollow } from "../fleet/sandbox-actions.tsx";
import type { OperationView } from "../operation/operation-feed.ts";
import { WorkUnderWay } from "../operation/work-under-way.tsx";
import { ForkDialog } from "../snapshots/fork-dialog.tsx";
import { Button } from "../ui/button.tsx";
import { Condition } from "./condition.tsx";
import "./sandbox-settings.css";
import { SettingsForm } from "./settings-form.tsx";

/** Work whose failure is told here until something else is done. */
const changes: readonly OperationKind[] = ["change"];

export interface SandboxSettingsPageProps {
  sandbox: Sandbox;
  /** The work on it that is under way, or that ended last. */
  work: OperationView;
}

/** What can be changed of a sandbox that lives: its name, size, sleep, start and protection; to fork it, to delete it. */
export function SandboxSettingsPage({ sandbox, work }: SandboxSettingsPageProps) {
  return (
    <main className="page work sandbox-settings">
      <Condition sandbox={sandbox} />
      <WorkUnderWay view={work} failures={changes} />
      <SettingsForm sandbox={sandbox} />
      <Facts sandbox={sandbox} />
      <MorePart sandbox={sandbox} />
    </main>
  );
}

/** What of it is not changed here. */
function Facts({ sandbox: { node, vmid, address, vlan, createdAt, forkedFrom } }: { sandbox: Sandbox }) {
  return (
    <section className="settings-part" aria-labelledby="facts-title">
      <h2 id="facts-title">Where it is</h2>
      <dl className="facts">
        <dt>Container</dt>
        <dd className="mono">{vmid === null ? "none yet" : `${vmid} on ${node ?? "?"}`}</dd>
        <dt>Address</dt>
        <dd className="mono">{address ?? "none now"}</dd>
        <dt>VLAN</dt>
        <dd>{vlan === null ? "the fleet’s, or none" : <span className="mono">{vlan}</span>}, as it was made</dd>
        <dt>Made</dt>
        <dd>
          {new Date(createdAt).toLocaleString()}
          {forkedFrom === null ? "" : ", as a copy of another sandbox"}
        </dd>
      </dl>
    </section>
  );
}

function MorePart({ sandbox }: { sandbox: Sandbox }) {
  const api = useApi();
  const follow = useFollow();
  const [asking, setAsking] = useState<"fork" | "delete" | undefined>(undefined);
  const close = () => setAsking(undefined);
  return (
    <section className="settings-part" aria-labelledby="more-title">
      <h2 id="more-title">Copy and delete</h2>
      <div className="settings-buttons">
        <Button disabled={sandbox.vmid === null} onClick={() => setAsking("fork")}>
          Fork…
        </Button>
        <Button
          look="danger"
          disabled={sandbox.state === "destroying" || sandbox.protection}
          onClick={() => setAsking("delete")}
        >
          Delete…
        </Button>
      </div>
      {sandbox.protection && <p className="field-note">It is protected: take that off above before you delete it.</p>}
      {asking === "fork" && <ForkDialog sandbox={sandbox} onClose={close} />}
      {asking === "delete" && (
        <DeleteDialog
          sandbox={sandbox}
          onClose={close}
          onDelete={async (discard) => {
            const input = { params: { id: sandbox.id }, query: { discard } };
            follow((await api.call(deleteSandbox, input)).operation);
          }}
        />
      )}
    </section>
  );
}
