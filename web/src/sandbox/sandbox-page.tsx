import type { Failure, Sandbox } from "@berth/protocol";
import type { AttachState } from "@berth/protocol/viewer";
import { useEffect, useRef, useState } from "react";
import type { Call } from "../api/use-call.ts";
import { Link } from "../app/link.tsx";
import { navigate } from "../app/navigation.ts";
import { fleetPath, type SandboxView, viewPath } from "../app/route.ts";
import { TopBar } from "../app/top-bar.tsx";
import { AgentUpdateFact, AgentUpdateNote } from "../fleet/agent-update.tsx";
import { Banners } from "../fleet/banners.tsx";
import { CareFact } from "../fleet/care-fact.tsx";
import { useFleetState } from "../fleet/context.tsx";
import { type PowerVerb, SandboxMenu, usePower } from "../fleet/sandbox-actions.tsx";
import { sizeText } from "../fleet/sizes.ts";
import { StateBadge } from "../fleet/state-badge.tsx";
import { lastOperation, rememberOperation } from "../operation/last-operation.ts";
import { isOver } from "../operation/operation-feed.ts";
import { useOperation } from "../operation/use-operation.ts";
import { SandboxSettingsPage } from "../sandbox-settings/settings-page.tsx";
import { SnapshotsPage } from "../snapshots/snapshots-page.tsx";
import { ConnectionPill } from "../terminal/connection-pill.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import "./sandbox.css";
import { SandboxViews, ViewLinks } from "./sandbox-views.tsx";
import { useDrafts } from "./use-drafts.ts";
import { WorkPanel } from "./work-panel.tsx";

/** A sandbox: its terminals, files and changes when it runs, and otherwise the work on it. */
export function SandboxPage({ name, view }: { name: string; view: SandboxView }) {
  const { sandboxes, loaded } = useFleetState();
  const found = [...sandboxes.values()].find((sandbox) => sandbox.name === name || sandbox.id === name);
  const last = useLast(name, found);
  const renamed = found ? undefined : sandboxes.get(last?.id ?? "");
  useEffect(() => {
    if (renamed) navigate(viewPath(renamed.name, view), { replace: true });
  }, [renamed, view]);
  if (renamed) return <Present key={renamed.id} sandbox={renamed} view={view} />;
  if (!found) return <Absent name={name} loaded={loaded} last={last} />;
  return <Present key={found.id} sandbox={found} view={view} />;
}

function Present({ sandbox, view }: { sandbox: Sandbox; view: SandboxView }) {
  const [state, setState] = useState<AttachState | undefined>(undefined);
  const power = usePower(sandbox);
  const manages = view.view === "snapshots" || view.view === "settings";
  useWakeOnOpening(sandbox, power, !manages);
  const operationId = sandbox.operationId ?? lastOperation(sandbox.id);
  useEffect(() => {
    if (sandbox.operationId !== null) rememberOperation(sandbox.id, sandbox.operationId);
  }, [sandbox.id, sandbox.operationId]);
  const runs = sandbox.state === "ready";
  const refused = useRefusedSleep(operationId);
  const drafts = useDrafts(sandbox.id, runs && view.view === "files");
  const work = useOperation(runs && sandbox.operationId === null && !manages ? undefined : operationId);
  const restarting = work.operation !== undefined && !isOver(work.operation);
  return (
    <div className="frame frame-full">
      <TopBar>
        <h1 className="sandbox-title mono">{sandbox.name}</h1>
        <StateBadge state={sandbox.state} />
        {(runs || sandbox.vmid !== null || manages) && <ViewLinks sandbox={sandbox} view={view} />}
        <span className="sandbox-about mono">
          {[sandbox.node, sandbox.vmid, sandbox.address].filter((fact) => fact !== null).join(" · ")}
        </span>
        <span className="sandbox-about">{sizeText(sandbox)}</span>
        <span className="sandbox-update">
          <AgentUpdateFact sandbox={sandbox} /> <CareFact sandbox={sandbox} />
        </span>
        <span className="top-end">
          {runs && view.view === "terminals" && state && <ConnectionPill state={state} sandbox={sandbox.state} />}
          <SandboxMenu sandbox={sandbox} power={power} />
        </span>
      </TopBar>
      <Banners />
      {power.failure && <FailureNote failure={power.failure} />}
      {runs && refused && <FailureNote failure={refused} />}
      <AgentUpdateNote sandbox={sandbox} />
      {runs && sandbox.error && <FailureNote failure={sandbox.error} />}
      {runs && <SandboxViews sandbox={sandbox} view={view} drafts={drafts} onState={setState} />}
      {!runs && !manages && <WorkPanel sandbox={sandbox} view={operationId === undefined ? undefined : work} />}
      {view.view === "snapshots" && <SnapshotsPage sandbox={sandbox} work={work} />}
      {view.view === "settings" && <SandboxSettingsPage sandbox={sandbox} work={work} />}
      <p className="visually-hidden" role="status">
        {restarting ? "" : `${sandbox.name} is ${sandbox.state}`}
      </p>
    </div>
  );
}

/** Why a sandbox that somebody has put to sleep stays awake. */
function useRefusedSleep(operationId: string | undefined): Failure | null {
  const operation = useFleetState().operations.get(operationId ?? "");
  return operation?.kind === "sleep" && operation.state === "failed" ? operation.error : null;
}

/**
 * Whoever opens what is in a sandbox (`uses`) wants to use it; its settings and snapshots can be seen while it sleeps. One
 * that falls asleep while it is shown stays so.
 */
function useWakeOnOpening({ state }: Sandbox, { run }: Call<[PowerVerb]>, uses: boolean): void {
  const latest = useRef(state);
  useEffect(() => {
    latest.current = state;
  });
  useEffect(() => {
    if (uses && latest.current === "asleep") void run("wake");
  }, [run, uses]);
}

function Absent({ name, loaded, last }: { name: string; loaded: boolean; last: Sandbox | undefined }) {
  return (
    <div className="frame frame-full">
      <TopBar>
        <h1 className="sandbox-title mono">{name}</h1>
      </TopBar>
      <Banners />
      {loaded ? (
        <main className="page">
          <section className="empty">
            <h2>{last ? `${last.name} is deleted` : `There is no sandbox “${name}”`}</h2>
            <p>{last ? "Its container, its disk and its keys are gone." : "It may have been deleted or renamed."}</p>
            <Link className="button button-primary" href={fleetPath}>
              All sandboxes
            </Link>
          </section>
        </main>
      ) : (
        <main className="page" aria-busy="true" />
      )}
    </div>
  );
}

/** The sandbox that was shown last at this address, after it is gone from there. */
function useLast(name: string, found: Sandbox | undefined): Sandbox | undefined {
  const [last, setLast] = useState({ name, sandbox: found });
  const next = { name, sandbox: found ?? (last.name === name ? last.sandbox : undefined) };
  if (next.name !== last.name || next.sandbox !== last.sandbox) setLast(next);
  return next.sandbox;
}
