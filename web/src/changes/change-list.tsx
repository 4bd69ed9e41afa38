import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import type { ChangedFile, Group, GroupName } from "./groups.ts";

/** What can be done with files of a group. */
export type ChangeVerb = "stage" | "unstage" | "discard";

export interface ChangeListProps {
  groups: readonly Group[];
  /** The key of the file whose changes are shown. */
  shownKey: string | undefined;
  busy: boolean;
  onShow: (changed: ChangedFile) => void;
  onDo: (verb: ChangeVerb, files: readonly ChangedFile[]) => void;
}

const titles: Record<GroupName, string> = {
  conflicted: "In conflict",
  staged: "Staged",
  unstaged: "Changed",
  untracked: "Untracked",
};
/** With all files of a group at once; conflicts are resolved one by one. */
const verbs: Record<GroupName, readonly ChangeVerb[]> = {
  conflicted: ["stage"],
  staged: ["unstage"],
  unstaged: ["discard", "stage"],
  untracked: ["discard", "stage"],
};
const words: Record<ChangeVerb, string> = { stage: "Stage", unstage: "Unstage", discard: "Discard" };
const letterWords: Readonly<Record<string, string>> = {
  A: "added",
  M: "modified",
  D: "deleted",
  R: "renamed",
  C: "copied",
  T: "of another type",
  U: "in conflict",
  "?": "untracked",
};
/** Lines of a group that are drawn: thousands would be slow, and nobody reads them. */
const maxShown = 500;

/** The changed files, by where they stand. */
export function ChangeList({ groups, shownKey, busy, onShow, onDo }: ChangeListProps) {
  return groups.map(({ name, files }) => (
    <section key={name} className="changes-group" aria-label={titles[name]}>
      <header className="changes-title">
        <h2>{titles[name]}</h2>
        <span className="count">{files.length}</span>
        {name !== "conflicted" && (
          <Button
            look="quiet"
            className="changes-all"
            disabled={busy}
            onClick={() => onDo(name === "staged" ? "unstage" : "stage", files)}
          >
            {name === "staged" ? "Unstage all" : "Stage all"}
          </Button>
        )}
      </header>
      <ul>
        {files.slice(0, maxShown).map((changed) => (
          <li key={changed.key} className="change" data-shown={changed.key === shownKey || undefined}>
            <FileButton changed={changed} shown={changed.key === shownKey} onShow={() => onShow(changed)} />
            {verbs[name].map((verb) => (
              <button
                key={verb}
                type="button"
                className="change-act"
                disabled={busy}
                aria-label={`${name === "conflicted" ? "Mark as resolved:" : words[verb]} ${changed.file.path}`}
                title={name === "conflicted" ? "Mark as resolved" : words[verb]}
                onClick={() => onDo(verb, [changed])}
              >
                <Icon
                  name={
                    verb === "stage"
                      ? name === "conflicted"
                        ? "check"
                        : "plus"
                      : verb === "unstage"
                        ? "minus"
                        : "back"
                  }
                />
              </button>
            ))}
          </li>
        ))}
      </ul>
      {files.length > maxShown && <p className="tree-note">and {files.length - maxShown} more</p>}
    </section>
  ));
}

function FileButton({ changed, shown, onShow }: { changed: ChangedFile; shown: boolean; onShow: () => void }) {
  const { path } = changed.file;
  const at = path.replace(/\/$/, "").lastIndexOf("/") + 1;
  return (
    <button
      type="button"
      className="change-file"
      aria-current={shown || undefined}
      aria-label={`${path}: ${letterWords[changed.letter] ?? "changed"}`}
      title={path}
      onClick={onShow}
    >
      <span className="change-letter mono" data-letter={changed.letter}>
        {changed.letter}
      </span>
      <span className="change-name">
        {path.slice(at)}
        {at > 0 && <span className="quiet change-folder">{path.slice(0, at - 1)}</span>}
      </span>
    </button>
  );
}
