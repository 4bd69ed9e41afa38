import { useStore } from "../api/store.ts";
import { FailureNote } from "../ui/failure-note.tsx";
import { Icon } from "../ui/icon.tsx";
import type { WorkspacePlace } from "./place.ts";
import type { Search } from "./search.ts";

/** Where it is typed what is looked for, and whether in names or in texts. */
export function SearchBox({ search }: { search: Search }) {
  const { wish } = useStore(search.state);
  return (
    <search className="files-search">
      <input
        type="search"
        aria-label="Search files"
        placeholder={wish.in === "name" ? "Find files by name" : "Find text in files"}
        value={wish.q}
        onChange={({ currentTarget }) => search.ask({ ...wish, q: currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key === "Escape") search.ask({ ...wish, q: "" });
        }}
      />
      <select
        aria-label="Search in"
        value={wish.in}
        onChange={({ currentTarget }) =>
          search.ask({ ...wish, in: currentTarget.value === "content" ? "content" : "name" })
        }
      >
        <option value="name">Names</option>
        <option value="content">Text</option>
      </select>
    </search>
  );
}

export interface SearchResultsProps {
  search: Search;
  onOpen: (place: WorkspacePlace, line: number | undefined) => void;
}

/** What was found: in place of the tree, while something is looked for. */
export function SearchResults({ search, onOpen }: SearchResultsProps) {
  const { found, searching, failure } = useStore(search.state);
  if (failure) return <FailureNote failure={failure} />;
  return (
    <div className="results" aria-busy={searching}>
      <p className="tree-note" role="status">
        {searching ? "Searching…" : found && summaryOf(found.items.length, found.end)}
      </p>
      <ul>
        {found?.items.map(({ path, pathBytes, match }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a file may be found several times, and the list is new each time
          <li key={index}>
            <button type="button" className="result" onClick={() => onOpen({ path, pathBytes }, match?.line)}>
              <span className="result-path">
                <Icon name="right" />
                <span className="mono">{path}</span>
                {match && <span className="quiet">:{match.line}</span>}
              </span>
              {match && <MatchedLine text={match.text} ranges={match.ranges} />}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function MatchedLine({ text, ranges }: { text: string; ranges: readonly { start: number; end: number }[] }) {
  const first = ranges[0];
  if (!first) return <code className="result-line">{text}</code>;
  // What was found may be far to the right.
  const from = Math.max(0, first.start - 30);
  return (
    <code className="result-line">
      {from > 0 && "…"}
      {text.slice(from, first.start).trimStart()}
      <mark>{text.slice(first.start, first.end)}</mark>
      {text.slice(first.end, first.end + 200)}
    </code>
  );
}

function summaryOf(count: number, end: "complete" | "limit" | "time"): string {
  const results = count === 0 ? "Nothing was found" : count === 1 ? "1 result" : `${count} results`;
  if (end === "limit") return `${results}, and there are more`;
  return end === "time" ? `${results}; not everything was looked through in time` : results;
}
