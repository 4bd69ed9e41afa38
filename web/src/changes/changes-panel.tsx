import type { Sandbox } from "@berth/protocol";
import { useMemo, useState } from "react";
import { useApi } from "../api/context.tsx";
import { useStore } from "../api/store.ts";
import { useCall } from "../api/use-call.ts";
import type { Drafts } from "../sandbox/use-drafts.ts";
import { usePageTitle } from "../sandbox/use-page-title.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import "../files/files.css";
import { ChangeList, type ChangeVerb } from "./change-list.tsx";
import "./changes.css";
import { CommitForm, PushBar } from "./commit-form.tsx";
import { CommitLog } from "./commit-log.tsx";
import { DiffView } from "./diff-view.tsx";
import { DiscardDialog } from "./discard-dialog.tsx";
import { type ChangedFile, groupsOf } from "./groups.ts";
import { NoRepository } from "./no-repository.tsx";
import { Repository, type Status } from "./repository.ts";
import { useFreshness } from "./use-freshness.ts";

export interface ChangesPanelProps {
  sandbox: Sandbox;
  /** The repository's folder; empty: the workspace. */
  path: string;
  drafts: Drafts;
}

/** What has changed in a repository of the workspace, and what is done about it. */
export function ChangesPanel({ sandbox, path, drafts }: ChangesPanelProps) {
  const api = useApi();
  const ofProject = sandbox.workspace.type === "git";
  const repository = useMemo(
    () => new Repository(api, sandbox.id, path, ofProject),
    [api, sandbox.id, path, ofProject],
  );
  const state = useStore(repository.state);
  const [shownKey, setShownKey] = useState<string | undefined>(undefined);
  const [discarding, setDiscarding] = useState<readonly ChangedFile[] | undefined>(undefined);
  const [kept, setKept] = useState<readonly string[]>([]);
  useFreshness(sandbox.id, repository);
  usePageTitle(sandbox.name, "Changes", false);
  const { status, none, failure, log } = state;
  const groups = useMemo(() => groupsOf(status?.files ?? []), [status]);
  const shown = groups.flatMap(({ files }) => files).find(({ key }) => key === shownKey);
  const act = useCall(async (verb: "stage" | "unstage", files: readonly ChangedFile[]) =>
    repository[verb](files.map(({ file }) => file)),
  );
  const onDo = (verb: ChangeVerb, files: readonly ChangedFile[]) => {
    setKept([]);
    if (verb === "discard") setDiscarding(files);
    else void act.run(verb, files);
  };

  if (none) return <NoRepository sandbox={sandbox} path={path} onLook={() => void repository.refresh()} />;
  const staged = groups.find(({ name }) => name === "staged")?.files.length ?? 0;
  return (
    <div className="workspace changes" data-shows={shown ? "one" : "all"}>
      <section className="workspace-side" aria-label="Changes">
        {status && <BranchLine status={status} busy={state.loading} onLook={() => void repository.refresh()} />}
        {(failure ?? act.failure) && (
          <Wrong failure={failure ?? act.failure} onAgain={() => void repository.refresh()} />
        )}
        {kept.length > 0 && (
          <p className="view-note" role="status">
            What was discarded is kept for two weeks in <code>/workspace/{kept.join(", ")}</code>.
          </p>
        )}
        {!status && !failure && (
          <p className="tree-note" role="status">
            Looking what has changed…
          </p>
        )}
        {status && (
          <div className="changes-scroll">
            {groups.length === 0 && <p className="tree-note">Nothing has changed since the last commit</p>}
            {staged + groups.length > 0 && <CommitForm repository={repository} staged={staged} drafts={drafts} />}
            <ChangeList
              groups={groups}
              shownKey={shown?.key}
              busy={act.pending}
              onShow={({ key }) => setShownKey(key)}
              onDo={onDo}
            />
            {status.truncated && <p className="tree-note">There are more changes than are listed here</p>}
            <PushBar repository={repository} state={state} />
            <CommitLog repository={repository} log={log} />
          </div>
        )}
      </section>
      {shown && status ? (
        <DiffView
          key={shown.key}
          sandboxName={sandbox.name}
          wanted={{ sandboxId: sandbox.id, root: status.root, changed: shown }}
          revision={status}
          onBack={() => setShownKey(undefined)}
        />
      ) : (
        <section className="file-view file-view-none">
          <p className="view-words">Choose a file to see how it has changed.</p>
        </section>
      )}
      {discarding && (
        <DiscardDialog
          files={discarding}
          onDiscard={async () => setKept(await repository.discard(discarding.map(({ file }) => file)))}
          onClose={() => setDiscarding(undefined)}
        />
      )}
    </div>
  );
}

function Wrong({
  failure,
  onAgain,
}: {
  failure: Parameters<typeof FailureNote>[0]["failure"] | null;
  onAgain: () => void;
}) {
  if (!failure) return null;
  return (
    <FailureNote failure={failure}>
      <Button onClick={onAgain}>Look again</Button>
    </FailureNote>
  );
}

function BranchLine({ status, busy, onLook }: { status: Status; busy: boolean; onLook: () => void }) {
  const { name, commit, upstream, ahead, behind } = status.branch;
  const words = name ?? (commit === null ? "no commit yet" : `at ${commit.slice(0, 8)}, on no branch`);
  return (
    <header className="branch-line" aria-busy={busy}>
      <span className="branch-name mono" title={status.root === "" ? "/workspace" : `/workspace/${status.root}`}>
        {words}
      </span>
      {upstream !== null && (
        <span className="quiet branch-upstream" title={`Compared with ${upstream}`}>
          {ahead === null || behind === null
            ? `there is no ${upstream}`
            : ahead + behind === 0
              ? "up to date"
              : [ahead > 0 ? `${ahead} ahead` : "", behind > 0 ? `${behind} behind` : ""].filter(Boolean).join(", ")}
        </span>
      )}
      <Button look="quiet" onClick={onLook}>
        Refresh
      </Button>
    </header>
  );
}
