import { cancelOperation, type Operation, type Template } from "@berth/protocol";
import { useState } from "react";
import { useApi } from "../api/context.tsx";
import { useCall } from "../api/use-call.ts";
import { useNow } from "../api/use-now.ts";
import { useFleet } from "../fleet/context.tsx";
import { agoText } from "../operation/duration.ts";
import { isOver } from "../operation/operation-feed.ts";
import { OperationPanel } from "../operation/operation-panel.tsx";
import { useOperation } from "../operation/use-operation.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import { BuildDialog, useBuild } from "./build.tsx";
import { Built } from "./built.tsx";
import "./template.css";
import { useTemplate } from "./use-template.ts";

/** The container that sandboxes are cloned from: what it is, whether it is old, and building it. */
export function TemplatePage() {
  const care = useTemplateCare();
  const { template } = care.known;
  return (
    <main className="page template-page">
      <header className="page-head">
        <h1>Template</h1>
        {template && <TemplateBadge template={template} building={care.building} />}
      </header>
      <TemplateCare care={care} />
      {template && template.templates.length > 0 && <Built template={template} onDeleted={care.known.reload} />}
    </main>
  );
}

/** The template, and the build of one that is under way or was the last. */
export function useTemplateCare() {
  const known = useTemplate();
  const { template } = known;
  const [begun, setBegun] = useState<string | undefined>(undefined);
  const view = useOperation(template?.build ?? begun ?? template?.lastBuild ?? undefined);
  const { operation } = view;
  const build = useBuild((made) => setBegun(made.id));
  return { known, view, build, building: operation !== undefined && !isOver(operation) };
}

/** What the template is, and its build: begun, watched, cancelled. */
export function TemplateCare({ care }: { care: ReturnType<typeof useTemplateCare> }) {
  const { known, view, build, building } = care;
  const { template, failure } = known;
  const { operation } = view;
  const [asking, setAsking] = useState(false);
  // A build that ended well is told by the template itself.
  const shown = view.missing || operation?.state === "succeeded" ? undefined : operation;
  return (
    <>
      {failure && <FailureNote failure={failure} />}
      {!template && !failure && <div className="skeleton row-skeleton" aria-busy="true" />}
      {template && <Facts template={template} />}
      {template && !building && (
        <BuildCall
          template={template}
          busy={build.pending}
          onBuild={() => void build.run({})}
          onChoose={() => setAsking(true)}
        />
      )}
      {build.failure && !asking && <FailureNote failure={build.failure} />}
      {shown?.error && <FailureNote failure={shown.error} />}
      {shown && <OperationPanel view={view} showsRunningLog />}
      {building && operation && <CancelBuild operation={operation} />}
      {asking && <BuildDialog build={build} onClose={() => setAsking(false)} />}
    </>
  );
}

function TemplateBadge({ template, building }: { template: Template; building: boolean }) {
  const [word, tone] = building
    ? ["Building", "busy"]
    : template.state !== "ready"
      ? ["Missing", "bad"]
      : template.outdated
        ? ["Old", "warn"]
        : ["Ready", "good"];
  return (
    <span className="state-badge" data-tone={tone}>
      {word}
    </span>
  );
}

function Facts({ template }: { template: Template }) {
  const now = useNow(30_000);
  if (template.state !== "ready") return null;
  const { vmid, node, version, latestVersion, outdated, builtAt, skipped } = template;
  return (
    <dl className="facts">
      <dt>Container</dt>
      <dd>
        <span className="mono">{vmid}</span> on <span className="mono">{node}</span>
      </dd>
      <dt>Version</dt>
      <dd>
        {version === null ? "not said" : <span className="mono">{version}</span>}
        {outdated && (
          <>
            ; this Berth has <span className="mono">{latestVersion}</span>
          </>
        )}
      </dd>
      {builtAt !== null && (
        <>
          <dt>Built</dt>
          <dd title={new Date(builtAt).toLocaleString()}>{agoText(now - Date.parse(builtAt))}</dd>
        </>
      )}
      {skipped.length > 0 && (
        <>
          <dt>Left out</dt>
          <dd>
            {skipped.map(({ name, reason }) => (
              <p key={name}>
                <strong>{name}</strong>: {reason}
              </p>
            ))}
          </dd>
        </>
      )}
    </dl>
  );
}

interface BuildCallProps {
  template: Template;
  busy: boolean;
  onBuild: () => void;
  onChoose: () => void;
}

/** Why one builds, and the buttons for it. */
function BuildCall({ template, busy, onBuild, onChoose }: BuildCallProps) {
  const missing = template.state !== "ready";
  return (
    <section className="build-call">
      {missing && <h2>Build it</h2>}
      <p>{reasonToBuild(template)}</p>
      <div className="build-buttons">
        <Button look={missing || template.outdated ? "primary" : "plain"} busy={busy} onClick={onBuild}>
          {missing ? "Build the template" : template.version === null ? "Build one" : "Rebuild"}
        </Button>
        <Button look="quiet" disabled={busy} onClick={onChoose}>
          Choose where…
        </Button>
      </div>
    </section>
  );
}

function reasonToBuild(template: Template): string {
  if (template.state !== "ready") {
    return `${template.error?.message ?? "There is none."} Sandboxes are cloned from it. Berth makes one through the Proxmox API: from Debian’s own container template, with Node, Docker and Claude Code in it. It takes a few minutes, once.`;
  }
  if (template.outdated) {
    return "A newer Berth puts newer programs into it. The new one is built beside this one; sandboxes that are there stay as they are, and new ones are cloned from the new one as soon as it is proven.";
  }
  if (template.version === null) {
    return "A build makes one beside it, from Debian’s own container template; sandboxes that are there stay as they are, and new ones are cloned from the new one as soon as it is proven.";
  }
  return "It is what this Berth would build. A rebuild takes in Debian’s updates; sandboxes that are there stay as they are.";
}

function CancelBuild({ operation }: { operation: Operation }) {
  const api = useApi();
  const fleet = useFleet();
  const [asked, setAsked] = useState(false);
  const cancel = useCall(async () => {
    fleet.put("operations", await api.call(cancelOperation, { params: { id: operation.id } }));
    setAsked(true);
  });
  return (
    <section className="build-cancel">
      {cancel.failure && <FailureNote failure={cancel.failure} />}
      <Button busy={cancel.pending || asked} onClick={() => void cancel.run()}>
        {asked ? "Taking it away again…" : "Cancel the build"}
      </Button>
    </section>
  );
}
