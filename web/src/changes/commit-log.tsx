import { useCall } from "../api/use-call.ts";
import { Button } from "../ui/button.tsx";
import { FailureNote } from "../ui/failure-note.tsx";
import type { Log, Repository } from "./repository.ts";

/** The newest commits, and older ones when they are asked for. */
export function CommitLog({ repository, log }: { repository: Repository; log: Log }) {
  const more = useCall(() => repository.moreLog());
  const failure = more.failure ?? log.failure;
  return (
    <section className="changes-group" aria-label="Commits">
      <header className="changes-title">
        <h2>Commits</h2>
      </header>
      {failure && <FailureNote failure={failure} />}
      {log.commits.length === 0 && !failure && <p className="tree-note">There is no commit yet</p>}
      <ol className="log">
        {log.commits.map(({ commit, subject, author, refs }) => (
          <li key={commit} className="log-entry">
            <p className="log-subject">{subject}</p>
            <p className="log-facts quiet">
              <code>{commit.slice(0, 8)}</code> {author.name}, <time dateTime={author.at}>{whenText(author.at)}</time>
              {refs.map((ref) => (
                <span key={ref} className="log-ref mono">
                  {ref.replace(/^refs\/(heads|tags|remotes)\//, "")}
                </span>
              ))}
            </p>
          </li>
        ))}
      </ol>
      {log.cursor !== null && (
        <Button look="quiet" busy={more.pending} onClick={() => void more.run()}>
          Older commits
        </Button>
      )}
    </section>
  );
}

function whenText(at: string): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
