import type { Sandbox } from "@berth/protocol";
import type { AttachState } from "@berth/protocol/viewer";
import { lazy, Suspense, useState } from "react";
import { Link } from "../app/link.tsx";
import {
  changesPath,
  filesPath,
  type SandboxView,
  sandboxPath,
  sandboxSettingsPath,
  snapshotsPath,
} from "../app/route.ts";
import { placeOfAddress } from "../files/place.ts";
import { TerminalsPanel } from "./terminals-panel.tsx";
import type { Drafts } from "./use-drafts.ts";

const FilesPanel = lazy(() => import("../files/files-panel.tsx").then((module) => ({ default: module.FilesPanel })));
const ChangesPanel = lazy(() =>
  import("../changes/changes-panel.tsx").then((module) => ({ default: module.ChangesPanel })),
);

export interface SandboxViewsProps {
  sandbox: Sandbox;
  view: SandboxView;
  drafts: Drafts;
  /** The connection of the terminal that is seen. */
  onState: (state: AttachState | undefined) => void;
}

/** The views of a sandbox that runs. Terminals that were seen go on behind the others. */
export function SandboxViews({ sandbox, view, drafts, onState }: SandboxViewsProps) {
  const terminals = view.view === "terminals";
  const last = useLastTerminal(view);
  const { files } = drafts;
  return (
    <>
      {(terminals || last.seen) && (
        <TerminalsPanel sandbox={sandbox} terminalId={last.id} seen={terminals} onState={onState} />
      )}
      <Suspense fallback={<p className="terminal-loading">Opening…</p>}>
        {view.view === "files" && files && <FilesPanel sandbox={sandbox} files={files} place={placeOfAddress(view)} />}
        {view.view === "changes" && <ChangesPanel key={view.path} sandbox={sandbox} path={view.path} drafts={drafts} />}
      </Suspense>
    </>
  );
}

/** The links to the views of a sandbox; without those of what is in it while it does not run. */
export function ViewLinks({ sandbox: { name, state }, view }: { sandbox: Sandbox; view: SandboxView }) {
  const all = [
    { view: "terminals", label: "Terminals", href: sandboxPath(name) },
    { view: "files", label: "Files", href: filesPath(name) },
    { view: "changes", label: "Changes", href: changesPath(name) },
    { view: "snapshots", label: "Snapshots", href: snapshotsPath(name) },
    { view: "settings", label: "Settings", href: sandboxSettingsPath(name) },
  ] as const;
  const inside: readonly SandboxView["view"][] = state === "ready" ? [] : ["files", "changes"];
  const links = all.filter((link) => link.view === view.view || !inside.includes(link.view));
  return (
    <nav className="top-nav view-links" aria-label="Views of the sandbox">
      {links.map((link) => (
        <Link key={link.view} href={link.href} aria-current={link.view === view.view ? "page" : undefined}>
          {link.label}
        </Link>
      ))}
    </nav>
  );
}

/** The terminal that was seen last, also while another view is in front. */
function useLastTerminal(view: SandboxView): { seen: boolean; id: string | undefined } {
  const [last, setLast] = useState<{ seen: boolean; id: string | undefined }>({ seen: false, id: undefined });
  if (view.view !== "terminals") return last;
  const id = view.terminalId ?? last.id;
  if (!last.seen || last.id !== id) setLast({ seen: true, id });
  return { seen: true, id };
}
