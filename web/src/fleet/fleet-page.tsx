import { useState } from "react";
import { useNow } from "../api/use-now.ts";
import { Link } from "../app/link.tsx";
import { connectionPath, templatePath } from "../app/route.ts";
import { useConnection } from "../connection/use-connection.ts";
import { concernOf, useTemplate } from "../template/use-template.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { useFleetState, useSandboxes } from "./context.tsx";
import "./fleet.css";
import { NewSandboxDialog } from "./new-sandbox-dialog.tsx";
import { SandboxRow } from "./sandbox-row.tsx";

/** All sandboxes, and the way to another. */
export function FleetPage() {
  const { loaded } = useFleetState();
  const sandboxes = useSandboxes();
  const [making, setMaking] = useState(false);
  const now = useNow(30_000);
  const empty = loaded && sandboxes.length === 0;
  return (
    <main className="page">
      <header className="page-head">
        <h1>Sandboxes</h1>
        {loaded && !empty && <span className="count mono">{sandboxes.length}</span>}
        {!empty && (
          <Button look="primary" className="page-action" disabled={!loaded} onClick={() => setMaking(true)}>
            <Icon name="plus" /> New sandbox
          </Button>
        )}
      </header>
      {!loaded && <FleetSkeleton />}
      {empty && <EmptyFleet onNew={() => setMaking(true)} />}
      {sandboxes.length > 0 && (
        <ul className="sandbox-list">
          {sandboxes.map((sandbox) => (
            <SandboxRow key={sandbox.id} sandbox={sandbox} now={now} />
          ))}
        </ul>
      )}
      {making && <NewSandboxDialog onClose={() => setMaking(false)} />}
    </main>
  );
}

function EmptyFleet({ onNew }: { onNew: () => void }) {
  const concern = concernOf(useTemplate().template);
  const { connection } = useConnection();
  if (concern === "missing" || concern === "building") {
    return (
      <section className="empty">
        <h2>{concern === "missing" ? "First, the template" : "The template is being built"}</h2>
        <p>
          Sandboxes are clones of a template: Debian with Node, Docker and Claude Code.{" "}
          {concern === "missing"
            ? "Your Proxmox has none yet. Berth builds it there in a few minutes, once."
            : "When it is done, you can make your first sandbox."}
        </p>
        <Link href={templatePath} className="button button-primary">
          {concern === "missing" ? "Build the template" : "See how it goes"}
        </Link>
      </section>
    );
  }
  return (
    <section className="empty">
      <h2>No sandboxes yet</h2>
      <p>
        A sandbox is a container of its own on your Proxmox, cloned from the template, with Claude Code ready in it.
        Making one takes a few seconds; then you are at Claude’s prompt.
      </p>
      {connection?.source === "bundled" ? (
        <>
          <p>Connect your Proxmox first, or try it on this machine, with the small Proxmox that Berth brings along.</p>
          <div className="empty-actions">
            <Link href={connectionPath("address")} className="button button-primary">
              Connect your Proxmox
            </Link>
            <Button onClick={onNew}>
              <Icon name="plus" /> New sandbox here
            </Button>
          </div>
        </>
      ) : (
        <Button look="primary" onClick={onNew}>
          <Icon name="plus" /> New sandbox
        </Button>
      )}
    </section>
  );
}

function FleetSkeleton() {
  return (
    <div className="sandbox-list" aria-busy="true">
      {["a", "b", "c"].map((row) => (
        <div key={row} className="sandbox-row">
          <div className="skeleton row-skeleton" />
        </div>
      ))}
    </div>
  );
}
