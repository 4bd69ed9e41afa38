import type { Failure, GitFileDiff, GitHunk } from "@berth/protocol";
import { useEffect, useState } from "react";
import { useApi } from "../api/context.tsx";
import { describeError } from "../api/describe-error.ts";
import { Link } from "../app/link.tsx";
import { filesPath } from "../app/route.ts";
import { bytesText } from "../files/bytes.ts";
import type { Content } from "../files/content.ts";
import { FailureNote } from "../ui/failure-note.tsx";
import { Icon } from "../ui/icon.tsx";
import { type Diff, readDiff, type WantedDiff } from "./diff.ts";
import type { GroupName } from "./groups.ts";

export interface DiffViewProps {
  sandboxName: string;
  wanted: WantedDiff;
  /** Another value: what is shown may be old. */
  revision: unknown;
  onBack: () => void;
}

const groupWords: Record<GroupName, string> = {
  conflicted: "in conflict",
  staged: "staged",
  unstaged: "not staged",
  untracked: "untracked",
};

/** How a file differs, line by line. */
export function DiffView({ sandboxName, wanted, revision, onBack }: DiffViewProps) {
  const { diff, failure } = useDiff(wanted, revision);
  const { file, group } = wanted.changed;
  return (
    <section className="file-view" aria-label={`Changes of ${file.path}`}>
      <header className="view-head">
        <button
          type="button"
          className="button button-quiet view-back"
          aria-label="Back to the changes"
          onClick={onBack}
        >
          <Icon name="left" />
        </button>
        <h2 className="view-path mono">{file.path}</h2>
        <span className="view-size quiet">{groupWords[group]}</span>
        {!file.path.endsWith("/") && wanted.changed.letter !== "D" && (
          <Link className="button button-quiet" href={filesPath(sandboxName, file)}>
            Open
          </Link>
        )}
      </header>
      {failure && <FailureNote failure={failure} />}
      {!diff && !failure && (
        <p className="view-words" role="status">
          Comparing…
        </p>
      )}
      {diff && <DiffContent diff={diff} from={file.from} />}
    </section>
  );
}

function DiffContent({ diff, from }: { diff: Diff; from: string | undefined }) {
  if (diff.kind === "same") return <p className="view-words">It does not differ any more.</p>;
  if (diff.kind === "new") return <NewContent content={diff.content} />;
  const { binary, tooLarge, hunks, oldMode, newMode, additions, deletions } = diff.diff;
  const modeChanged = oldMode !== null && newMode !== null && oldMode !== newMode;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys
    <section className="diff mono" tabIndex={0} aria-label="Lines">
      {from !== undefined && <p className="diff-fact">Renamed from {from}</p>}
      {modeChanged && (
        <p className="diff-fact">
          Mode {oldMode} → {newMode}
        </p>
      )}
      {binary && <p className="diff-fact">A binary file: its changes cannot be shown as lines.</p>}
      {tooLarge && (
        <p className="diff-fact">
          Too large to be shown: {additions} lines added, {deletions} removed.
        </p>
      )}
      {!binary && !tooLarge && hunks.length === 0 && <p className="diff-fact">{emptyWords(diff.diff)}</p>}
      {hunks.map((hunk) => (
        <Hunk key={`${hunk.oldStart} ${hunk.newStart}`} hunk={hunk} />
      ))}
    </section>
  );
}

function emptyWords({ status, conflicted }: GitFileDiff): string {
  if (conflicted) return "It is in conflict: open it, and choose between the marked lines.";
  return status === "added" ? "An empty file was added." : "No line of it differs.";
}

function NewContent({ content }: { content: Content }) {
  if (content.kind === "text" && content.text !== "") {
    const lines = content.text.replace(/\n$/, "").split("\n");
    const hunk = { oldStart: 0, oldLines: 0, newStart: 1, newLines: lines.length, header: "" };
    // As with diffs: what is longer is opened as a file.
    if (lines.length > 5000) return <p className="view-words">A new file of {lines.length} lines.</p>;
    return (
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys
      <section className="diff mono" tabIndex={0} aria-label="Lines">
        <Hunk hunk={{ ...hunk, lines: lines.map((line) => `+${line}`) }} />
      </section>
    );
  }
  if (content.kind === "folder") return <p className="view-words">A new folder, of which git knows nothing yet.</p>;
  const size = "bytes" in content ? ` of ${bytesText(content.bytes)}` : "";
  return <p className="view-words">A new file{size} that cannot be shown as lines.</p>;
}

function Hunk({ hunk }: { hunk: GitHunk }) {
  return (
    <>
      <p className="diff-hunk">
        @@ −{hunk.oldStart},{hunk.oldLines} +{hunk.newStart},{hunk.newLines} @@ {hunk.header}
      </p>
      {numbered(hunk).map(({ line, old, now, at }) => (
        <div key={at} className="diff-line" data-sign={line[0]}>
          <span className="diff-number" aria-hidden="true">
            {old}
          </span>
          <span className="diff-number" aria-hidden="true">
            {now}
          </span>
          <span className="diff-sign">{line[0]}</span>
          <span className="diff-text">{line.slice(1)}</span>
        </div>
      ))}
    </>
  );
}

interface NumberedLine {
  readonly at: number;
  readonly line: string;
  readonly old: number | undefined;
  readonly now: number | undefined;
}

function numbered({ lines, oldStart, newStart }: GitHunk): readonly NumberedLine[] {
  let old = oldStart;
  let now = newStart;
  return lines.map((line, at) => {
    const inOld = line[0] === " " || line[0] === "-";
    const inNew = line[0] === " " || line[0] === "+";
    return { at, line, old: inOld ? old++ : undefined, now: inNew ? now++ : undefined };
  });
}

/** The diff; while another look at the same file is under way, the former one. */
function useDiff(wanted: WantedDiff, revision: unknown): { diff: Diff | undefined; failure: Failure | null } {
  const api = useApi();
  const [state, setState] = useState<{ key: string; diff: Diff | undefined; failure: Failure | null }>();
  const { key } = wanted.changed;
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is wanted is what its key says, at that revision
  useEffect(() => {
    const abort = new AbortController();
    readDiff(api, wanted, abort.signal).then(
      (diff) => setState({ key, diff, failure: null }),
      (error: unknown) => {
        if (!abort.signal.aborted) setState({ key, diff: undefined, failure: describeError(error) });
      },
    );
    return () => abort.abort();
  }, [api, key, revision]);
  return state?.key === key ? state : { diff: undefined, failure: null };
}
